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
                                                                   const Graph* teacher) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
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
  return std::unique_ptr<TrainingLoop>(new TrainingLoop(
      graph, loader, options, std::move(callbacks), std::move(executor), std::move(distiller)));
}

TrainingLoop::TrainingLoop(Graph& graph, Loader& loader, const TrainOptions& options,
                           TrainingCallbacks callbacks, std::unique_ptr<Executor> executor,
                           std::unique_ptr<Distiller> distiller)
    : graph_(graph),
      loader_(loader),
      options_(options),
      callbacks_(std::move(callbacks)),
      executor_(std::move(executor)),
      distiller_(std::move(distiller)),
      optimizer_(MakeOptimizer(MakeParameterGroups(graph, options), options.optimizer)) {
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
  steps_done_ = checkpoint.steps_done;
  if (!checkpoint.gradients.empty()) open_update_ = steps_done_ / options_.accumulate_batches;
  saved_at_ = steps_done_;
  train_seconds_ = checkpoint.train_seconds;
  return absl::OkStatus();
}

absl::Status TrainingLoop::Run() {
  const Clock::time_point start = Clock::now();
  seconds_before_ = train_seconds_;
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
  QUANTRY_RETURN_IF_ERROR(loader_.StartEpoch(epoch, steps_done_ - first_step));
  TaskMetrics metrics(loader_.dataset().target_kind());
  while (true) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader_.Next());
    if (!batch) break;
    QUANTRY_RETURN_IF_ERROR(RunStep(*batch, epoch, metrics));
    train_seconds_ = seconds_at_start + SecondsSince(start);
    QUANTRY_RETURN_IF_ERROR(EvaluateIfDue());
    if (callbacks_.interrupted && callbacks_.interrupted()) {
      return absl::CancelledError(absl::StrCat("interrupted after step ", steps_done_));
    }
    if (Stopping()) return absl::OkStatus();
    QUANTRY_RETURN_IF_ERROR(SaveIfDue(/*epoch_ended=*/false));
  }
  steps_done_ = first_step + loader_.num_batches();
  return callbacks_.on_epoch ? callbacks_.on_epoch(epoch + 1, steps_done_, metrics)
                             : absl::OkStatus();
}

EvaluateContext TrainingLoop::ContextOf(int64_t step) const {
  const auto frozen = [&](const std::optional<double>& own) {
    const double after = own.value_or(options_.freeze_after);
    return after < 1.0 && static_cast<double>(step) >= after * static_cast<double>(steps());
  };
  return {.phase = RunPhase::kTrain,
          .statistics_frozen = frozen(options_.freeze_batch_norm_after),
          .observers_frozen = frozen(options_.freeze_observers_after),
          .generator = at::make_generator<at::CPUGeneratorImpl>(
              Mix(options_.seed, static_cast<uint64_t>(step)))};
}

absl::Status TrainingLoop::RunStep(const Batch& batch, int64_t epoch, TaskMetrics& metrics) {
  const int64_t step = epoch * loader_.num_batches() + batch.index;
  const double rate =
      LearningRateAt(options_.schedule,
                     {.steps_per_epoch = loader_.num_batches(), .epochs = options_.epochs}, step);
  std::optional<Mixup> mixup;
  if (options_.mixup > 0.0) {
    mixup = Mixup::Draw(batch.size(), options_.mixup,
                        CounterRng({options_.seed, static_cast<uint64_t>(step)}).Next());
  }
  const std::vector<at::Tensor> inputs = mixup ? mixup->MixInputs(batch.inputs) : batch.inputs;
  QUANTRY_ASSIGN_OR_RETURN(
      const std::vector<at::Tensor> outputs,
      executor_->Run(inputs, ContextOf(step), distiller_ ? distiller_->StudentHook() : nullptr));
  const at::Tensor& output = outputs.at(options_.task_output);
  const at::Tensor targets = mixup ? mixup->MixTargets(batch.targets, output) : batch.targets;
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor loss, LossOf(inputs, outputs, targets));
  const double loss_value = loss.item<double>();
  if (!std::isfinite(loss_value)) {
    return ExplainNotFinite(*executor_, inputs, ContextOf(step), Divergence(step),
                            kDivergenceAdvice);
  }
  QUANTRY_RETURN_IF_ERROR(Backward(loss, step));
  UpdateIfDue(step, rate);
  steps_done_ = step + 1;
  metrics.Add(output, batch.targets);
  if (!callbacks_.on_step) return absl::OkStatus();
  return callbacks_.on_step({.epoch = epoch,
                             .steps_done = steps_done_,
                             .steps = steps(),
                             .learning_rate = rate,
                             .loss = loss_value,
                             .examples = batch.size(),
                             .logits = output,
                             .targets = batch.targets});
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

absl::Status TrainingLoop::Backward(const at::Tensor& loss, int64_t step) {
  const int64_t update = step / options_.accumulate_batches;
  if (open_update_ != update) optimizer_->ZeroGradients();
  open_update_ = update;
  const int64_t first = update * options_.accumulate_batches;
  const int64_t batches = std::min(options_.accumulate_batches, steps() - first);
  (batches == 1 ? loss : loss / static_cast<double>(batches)).backward();
  return CheckGradientsFinite(graph_, Divergence(step), kDivergenceAdvice);
}

void TrainingLoop::UpdateIfDue(int64_t step, double rate) {
  const int64_t done = step + 1;
  if (done % options_.accumulate_batches != 0 && done != steps()) return;
  if (options_.gradient_clip) ClipGradientNorm(optimizer_->Parameters(), *options_.gradient_clip);
  optimizer_->Step(rate);
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
  return loader_.StartEpoch(epoch, steps_done_ - epoch * loader_.num_batches());
}

absl::Status TrainingLoop::Evaluate() {
  QUANTRY_RETURN_IF_ERROR(ApplyAverages());
  QUANTRY_ASSIGN_OR_RETURN(const double score, callbacks_.evaluate(steps_done_));
  tracker_->Offer(score, steps_done_);
  return absl::OkStatus();
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
  QUANTRY_RETURN_IF_ERROR(callbacks_.save(MakeCheckpoint()));
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
