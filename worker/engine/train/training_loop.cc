#include "worker/engine/train/training_loop.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/data/counter_rng.h"
#include "worker/engine/evaluate/not_finite.h"
#include "worker/engine/train/batch_norm_statistics.h"
#include "worker/engine/train/mixup.h"
#include "worker/engine/train/parameter_groups.h"
#include "worker/engine/train/task.h"

namespace quantry::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kDivergenceAdvice[] = "try a lower learning_rate, gradient_clip, or warmup_epochs";

std::string Divergence(int64_t step) { return absl::StrCat("training diverged in step ", step); }

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// SplitMix64's finaliser (Steele et al., 2014): neighbouring steps get unrelated seeds.
uint64_t Mix(uint64_t seed, uint64_t step) {
  uint64_t z = seed + (step + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::vector<NamedTensor> Copies(const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> copies;
  for (const NamedTensor& named : tensors) {
    copies.push_back({named.name, named.tensor.detach().clone()});
  }
  return copies;
}

std::vector<NamedTensor> GradientsOf(const Optimizer& optimizer) {
  std::vector<NamedTensor> gradients;
  for (const NamedTensor& parameter : optimizer.Parameters()) {
    const at::Tensor& gradient = parameter.tensor.grad();
    if (gradient.defined()) gradients.push_back({parameter.name, gradient});
  }
  return gradients;
}

// Gives the parameters that `gradients` names gradients of their own shape and layout.
absl::Status RestoreGradients(const std::vector<NamedTensor>& gradients,
                              const Optimizer& optimizer) {
  std::vector<NamedTensor> targets;
  for (NamedTensor& parameter : optimizer.Parameters()) {
    for (const NamedTensor& gradient : gradients) {
      if (gradient.name != parameter.name) continue;
      parameter.tensor.mutable_grad() = at::zeros_like(parameter.tensor.detach());
      targets.push_back({parameter.name, parameter.tensor.grad()});
    }
  }
  return RestoreTensors(gradients, targets);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingLoop>> TrainingLoop::Create(Graph& graph, Loader& loader,
                                                                   const TrainOptions& options,
                                                                   TrainingCallbacks callbacks,
                                                                   const Graph* teacher,
                                                                   Collective* ranks) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  QUANTRY_RETURN_IF_ERROR(CheckPrecision(options.precision));
  QUANTRY_RETURN_IF_ERROR(CheckTask(options, loader.dataset().target_kind()));
  PrepareParameters(graph);
  QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<Executor> executor, Executor::Create(graph));
  std::unique_ptr<Distiller> distiller;
  if (options.distillation) {
    if (teacher == nullptr) {
      return absl::InvalidArgumentError("distillation is set, but there is no float model for it");
    }
    QUANTRY_ASSIGN_OR_RETURN(distiller, Distiller::Create(*teacher, graph, *options.distillation));
  }
  return std::unique_ptr<TrainingLoop>(new TrainingLoop(graph, loader, options,
                                                        std::move(callbacks), std::move(executor),
                                                        std::move(distiller), ranks));
}

TrainingLoop::TrainingLoop(Graph& graph, Loader& loader, const TrainOptions& options,
                           TrainingCallbacks callbacks, std::unique_ptr<Executor> executor,
                           std::unique_ptr<Distiller> distiller, Collective* ranks)
    : graph_(graph),
      loader_(loader),
      options_(options),
      callbacks_(std::move(callbacks)),
      executor_(std::move(executor)),
      distiller_(std::move(distiller)),
      optimizer_(MakeOptimizer(MakeParameterGroups(graph, options), options.optimizer)),
      step_bounds_(graph),
      parallel_(graph, ranks == nullptr ? alone_ : *ranks, options.sync_batch_norm) {
  if (options_.ema_decay) average_.emplace(GraphState(graph_), *options_.ema_decay);
  if (options_.evaluates() && callbacks_.evaluate) {
    tracker_.emplace(GraphState(graph_), BestTracker::Options{.keep = options_.keep_best,
                                                              .patience = options_.patience});
  }
}

absl::Status TrainingLoop::Restore(const Checkpoint& checkpoint) {
  if (checkpoint.steps_per_epoch != loader_.num_batches() || checkpoint.steps_done < 0 ||
      checkpoint.steps_done > steps()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint is at step ", checkpoint.steps_done, " of epochs of ",
                     checkpoint.steps_per_epoch, " steps; this run has ", steps(), " steps, ",
                     loader_.num_batches(), " in an epoch"));
  }
  QUANTRY_RETURN_IF_ERROR(RestoreTensors(checkpoint.state, GraphState(graph_)));
  QUANTRY_RETURN_IF_ERROR(RestoreTensors(checkpoint.optimizer, optimizer_->State()));
  QUANTRY_RETURN_IF_ERROR(RestoreTensors(
      checkpoint.averages, average_ ? average_->averages() : std::vector<NamedTensor>()));
  QUANTRY_RETURN_IF_ERROR(
      RestoreTensors(checkpoint.best, tracker_ ? tracker_->State() : std::vector<NamedTensor>()));
  QUANTRY_RETURN_IF_ERROR(RestoreGradients(checkpoint.gradients, *optimizer_));
  // They are sums over all ranks, which will be summed again.
  if (!parallel_.leads()) {
    for (NamedTensor& gradient : GradientsOf(*optimizer_)) gradient.tensor.zero_();
  }
  steps_done_ = checkpoint.steps_done;
  if (!checkpoint.gradients.empty()) open_update_ = steps_done_ / options_.accumulate_batches;
  saved_at_ = steps_done_;
  train_seconds_ = checkpoint.train_seconds;
  return absl::OkStatus();
}

absl::Status TrainingLoop::Run() {
  const Clock::time_point start = Clock::now();
  seconds_before_ = train_seconds_;
  QUANTRY_RETURN_IF_ERROR(parallel_.Synchronize(WholeState(), steps_done_));
  // A run that was stopped in an evaluation does it again.
  absl::Status status = EvaluateIfDue();
  while (status.ok() && steps_done_ < steps() && !Stopping()) {
    status = RunEpoch(steps_done_ / loader_.num_batches());
    train_seconds_ = seconds_before_ + SecondsSince(start);
    if (status.ok()) status = SaveIfDue(/*epoch_ended=*/true);
  }
  if (absl::IsCancelled(status)) QUANTRY_RETURN_IF_ERROR(Save());
  return status;
}

absl::Status TrainingLoop::RunEpoch(int64_t epoch) {
  const Clock::time_point start = Clock::now();
  const double seconds_at_start = train_seconds_;
  const int64_t first_step = epoch * loader_.num_batches();
  QUANTRY_RETURN_IF_ERROR(loader_.StartEpoch(epoch, steps_done_ - first_step, parallel_.shard()));
  TaskMetrics metrics(loader_.dataset().target_kind());
  while (true) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader_.Next());
    if (!batch) break;
    QUANTRY_RETURN_IF_ERROR(RunStep(*batch, epoch, metrics));
    train_seconds_ = seconds_at_start + SecondsSince(start);
    QUANTRY_RETURN_IF_ERROR(EvaluateIfDue());
    QUANTRY_ASSIGN_OR_RETURN(const bool interrupted,
                             parallel_.Any(callbacks_.interrupted && callbacks_.interrupted()));
    if (interrupted) {
      return absl::CancelledError(absl::StrCat("interrupted after step ", steps_done_));
    }
    if (Stopping()) return absl::OkStatus();
    QUANTRY_RETURN_IF_ERROR(SaveIfDue(/*epoch_ended=*/false));
  }
  steps_done_ = first_step + loader_.num_batches();
  return callbacks_.on_epoch ? callbacks_.on_epoch(epoch + 1, steps_done_, metrics)
                             : absl::OkStatus();
}

EvaluateContext TrainingLoop::ContextOf(int64_t step, const BatchPart& part) const {
  const auto frozen = [&](const std::optional<double>& own) {
    const double after = own.value_or(options_.freeze_after);
    return after < 1.0 && static_cast<double>(step) >= after * static_cast<double>(steps());
  };
  return {.phase = RunPhase::kTrain,
          .statistics_frozen = frozen(options_.freeze_batch_norm_after),
          .observers_frozen = frozen(options_.freeze_observers_after),
          .generator = at::make_generator<at::CPUGeneratorImpl>(
              Mix(options_.seed, static_cast<uint64_t>(step))),
          .share = part.share ? &*part.share : nullptr,
          .precision = options_.precision};
}

absl::Status TrainingLoop::RunStep(const Batch& batch, int64_t epoch, TaskMetrics& metrics) {
  const int64_t step = epoch * loader_.num_batches() + batch.index;
  const double rate =
      LearningRateAt(options_.schedule,
                     {.steps_per_epoch = loader_.num_batches(), .epochs = options_.epochs}, step);
  QUANTRY_ASSIGN_OR_RETURN(const BatchPart part, parallel_.Divide(batch, options_.mixup > 0.0));
  if (part.all_rows == 0) return absl::OkStatus();  // every picture is corrupt
  std::optional<Mixup> mixup;
  if (options_.mixup > 0.0) {
    mixup = Mixup::Draw(part.all_rows, options_.mixup,
                        CounterRng({options_.seed, static_cast<uint64_t>(step)}).Next());
  }
  const std::vector<at::Tensor> inputs =
      mixup ? part.Own(mixup->MixInputs(part.all_inputs)) : part.inputs;
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<at::Tensor> outputs,
                           executor_->Run(inputs, ContextOf(step, part),
                                          distiller_ ? distiller_->StudentHook() : nullptr));
  const at::Tensor& output = outputs.at(options_.task_output);
  const at::Tensor targets =
      mixup ? part.Own(mixup->MixTargets(part.all_targets, output)) : part.targets;
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor loss, LossOf(inputs, outputs, targets));
  const double own_loss = loss.item<double>();
  QUANTRY_ASSIGN_OR_RETURN(const double loss_value, parallel_.Sum(own_loss * part.weight));
  if (!std::isfinite(loss_value)) return ExplainLoss(inputs, std::isfinite(own_loss), step);
  QUANTRY_RETURN_IF_ERROR(Backward(loss, part.weight, step));
  UpdateIfDue(step, rate);
  steps_done_ = step + 1;
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor all_outputs, parallel_.AllRows(output.detach(), part));
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor all_targets, parallel_.AllRows(part.targets, part));
  return ReportStep({.epoch = epoch,
                     .steps_done = steps_done_,
                     .steps = steps(),
                     .learning_rate = rate,
                     .loss = loss_value,
                     .examples = part.all_rows,
                     .logits = all_outputs,
                     .targets = all_targets},
                    metrics);
}

absl::Status TrainingLoop::ReportStep(const TrainedStep& step, TaskMetrics& metrics) {
  metrics.Add(step.logits, step.targets);
  return callbacks_.on_step ? callbacks_.on_step(step) : absl::OkStatus();
}

// Of several ranks each looks at its own part, without the others, and all tell what the first one
// found.
absl::Status TrainingLoop::ExplainLoss(const std::vector<at::Tensor>& inputs, bool finite_here,
                                       int64_t step) {
  const absl::Status own = ExplainNotFinite(*executor_, inputs, ContextOf(step, BatchPart()),
                                            Divergence(step), kDivergenceAdvice);
  return parallel_.FirstError(own, !finite_here);
}

absl::StatusOr<at::Tensor> TrainingLoop::LossOf(absl::Span<const at::Tensor> inputs,
                                                absl::Span<const at::Tensor> outputs,
                                                const at::Tensor& targets) {
  const auto task = [&] { return TaskLoss(outputs[options_.task_output], targets, options_.loss); };
  if (!distiller_) return task();
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor distance, distiller_->Loss(inputs, outputs));
  const double weight = TaskWeight(*options_.distillation, loader_.dataset().target_kind());
  return weight == 0.0 ? distance : distance + task() * weight;
}

bool TrainingLoop::CompletesUpdate(int64_t step) const {
  return (step + 1) % options_.accumulate_batches == 0 || step + 1 == steps();
}

absl::Status TrainingLoop::Backward(const at::Tensor& loss, double weight, int64_t step) {
  const int64_t update = step / options_.accumulate_batches;
  if (open_update_ != update) optimizer_->ZeroGradients();
  open_update_ = update;
  const int64_t first = update * options_.accumulate_batches;
  const int64_t batches = std::min(options_.accumulate_batches, steps() - first);
  const double factor = weight / static_cast<double>(batches);
  const bool complete = CompletesUpdate(step);
  if (complete) parallel_.BeginReduction();
  (factor == 1.0 ? loss : loss * factor).backward();
  if (complete) QUANTRY_RETURN_IF_ERROR(parallel_.FinishReduction());
  QUANTRY_RETURN_IF_ERROR(parallel_.AverageStatistics());
  // What is not finite on one rank alone is found on all of them once it is summed up.
  if (!complete && parallel_.active()) return absl::OkStatus();
  return CheckGradientsFinite(graph_, Divergence(step), kDivergenceAdvice);
}

void TrainingLoop::UpdateIfDue(int64_t step, double rate) {
  if (!CompletesUpdate(step)) return;
  if (options_.gradient_clip) ClipGradientNorm(optimizer_->Parameters(), *options_.gradient_clip);
  step_bounds_.BeforeUpdate();
  optimizer_->Step(rate);
  step_bounds_.AfterUpdate();
  open_update_.reset();
  if (average_) average_->Update(step / options_.accumulate_batches + 1);
}

absl::Status TrainingLoop::EvaluateIfDue() {
  if (!tracker_ || steps_done_ == 0 || tracker_->last_step() == steps_done_) {
    return absl::OkStatus();
  }
  const int64_t interval = options_.evaluate_steps
                               ? *options_.evaluate_steps
                               : *options_.evaluate_epochs * loader_.num_batches();
  if (steps_done_ % interval != 0 && steps_done_ != steps()) return absl::OkStatus();
  const std::vector<NamedTensor> live = GraphState(graph_);
  const std::vector<NamedTensor> before = Copies(live);
  const absl::Status status = Evaluate();
  QUANTRY_RETURN_IF_ERROR(RestoreTensors(before, live));
  QUANTRY_RETURN_IF_ERROR(status);
  if (!options_.batch_norm_batches) return absl::OkStatus();
  // The loader was elsewhere: back to the next batch of the epoch that is under way.
  const int64_t epoch = (steps_done_ - 1) / loader_.num_batches();
  return loader_.StartEpoch(epoch, steps_done_ - epoch * loader_.num_batches(), parallel_.shard());
}

absl::Status TrainingLoop::Evaluate() {
  QUANTRY_ASSIGN_OR_RETURN(const double score,
                           parallel_.OfLeader(parallel_.leads() ? Score() : 0.0));
  tracker_->Offer(score, steps_done_);
  return absl::OkStatus();
}

absl::StatusOr<double> TrainingLoop::Score() {
  QUANTRY_RETURN_IF_ERROR(ApplyAverages());
  return callbacks_.evaluate(steps_done_);
}

absl::Status TrainingLoop::ApplyAverages() {
  if (average_) average_->Apply();
  if (!options_.batch_norm_batches) return absl::OkStatus();
  return ReestimateBatchNorm(graph_, loader_, *options_.batch_norm_batches, options_.seed);
}

absl::Status TrainingLoop::Finish() {
  if (tracker_ && tracker_->RestoreBest()) return absl::OkStatus();
  return ApplyAverages();
}

absl::Status TrainingLoop::SaveIfDue(bool epoch_ended) {
  const bool due = options_.checkpoint_steps ? steps_done_ % *options_.checkpoint_steps == 0 ||
                                                   steps_done_ == steps() || Stopping()
                                             : epoch_ended;
  return due ? Save() : absl::OkStatus();
}

absl::Status TrainingLoop::Save() {
  if (!callbacks_.save || saved_at_ == steps_done_) return absl::OkStatus();
  Checkpoint checkpoint = MakeCheckpoint();
  QUANTRY_ASSIGN_OR_RETURN(checkpoint.gradients, parallel_.SumOf(std::move(checkpoint.gradients)));
  if (parallel_.leads()) QUANTRY_RETURN_IF_ERROR(callbacks_.save(std::move(checkpoint)));
  saved_at_ = steps_done_;
  return absl::OkStatus();
}

Checkpoint TrainingLoop::MakeCheckpoint() const {
  return {.steps_done = steps_done_,
          .steps_per_epoch = loader_.num_batches(),
          .train_seconds = train_seconds_,
          .state = GraphState(graph_),
          .optimizer = optimizer_->State(),
          .gradients = open_update_ ? GradientsOf(*optimizer_) : std::vector<NamedTensor>(),
          .averages = average_ ? average_->averages() : std::vector<NamedTensor>(),
          .best = tracker_ ? tracker_->State() : std::vector<NamedTensor>()};
}

std::vector<NamedTensor> TrainingLoop::WholeState() const {
  std::vector<NamedTensor> state = GraphState(graph_);
  for (const auto& list :
       {optimizer_->State(), average_ ? average_->averages() : std::vector<NamedTensor>(),
        tracker_ ? tracker_->State() : std::vector<NamedTensor>()}) {
    state.insert(state.end(), list.begin(), list.end());
  }
  return state;
}

std::vector<NamedTensor> GraphState(const Graph& graph) {
  std::vector<NamedTensor> state;
  for (const InitializerRole role : {InitializerRole::kParameter, InitializerRole::kBuffer}) {
    for (const Value* value : graph.initializers(role)) {
      state.push_back({value->name(), value->tensor()});
    }
  }
  return state;
}

}  // namespace quantry::engine
