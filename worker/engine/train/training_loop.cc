#include "worker/engine/train/training_loop.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/not_finite.h"
#include "worker/engine/train/parameter_groups.h"

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

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingLoop>> TrainingLoop::Create(Graph& graph, Loader& loader,
                                                                   const TrainOptions& options,
                                                                   TrainingCallbacks callbacks) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  PrepareParameters(graph);
  QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<Executor> executor, Executor::Create(graph));
  return std::unique_ptr<TrainingLoop>(
      new TrainingLoop(graph, loader, options, std::move(callbacks), std::move(executor)));
}

TrainingLoop::TrainingLoop(Graph& graph, Loader& loader, const TrainOptions& options,
                           TrainingCallbacks callbacks, std::unique_ptr<Executor> executor)
    : graph_(graph),
      loader_(loader),
      options_(options),
      callbacks_(std::move(callbacks)),
      executor_(std::move(executor)),
      optimizer_(MakeParameterGroups(graph, options), options.momentum) {}

absl::Status TrainingLoop::Restore(const Checkpoint& checkpoint) {
  if (checkpoint.steps_per_epoch != loader_.num_batches() || checkpoint.steps_done < 0 ||
      checkpoint.steps_done > steps()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint is at step ", checkpoint.steps_done, " of epochs of ",
                     checkpoint.steps_per_epoch, " steps; this run has ", steps(), " steps, ",
                     loader_.num_batches(), " in an epoch"));
  }
  QUANTRY_RETURN_IF_ERROR(RestoreTensors(checkpoint.state, GraphState(graph_)));
  QUANTRY_RETURN_IF_ERROR(RestoreTensors(checkpoint.momenta, optimizer_.Momenta()));
  steps_done_ = checkpoint.steps_done;
  saved_at_ = steps_done_;
  train_seconds_ = checkpoint.train_seconds;
  return absl::OkStatus();
}

absl::Status TrainingLoop::Run() {
  const Clock::time_point start = Clock::now();
  seconds_before_ = train_seconds_;
  absl::Status status;
  while (status.ok() && steps_done_ < steps()) {
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
  ClassificationMetrics metrics;
  while (true) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader_.Next());
    if (!batch) break;
    QUANTRY_RETURN_IF_ERROR(RunStep(*batch, epoch, metrics));
    train_seconds_ = seconds_at_start + SecondsSince(start);
    if (callbacks_.interrupted && callbacks_.interrupted()) {
      return absl::CancelledError(absl::StrCat("interrupted after step ", steps_done_));
    }
    QUANTRY_RETURN_IF_ERROR(SaveIfDue(/*epoch_ended=*/false));
  }
  steps_done_ = first_step + loader_.num_batches();
  return callbacks_.on_epoch ? callbacks_.on_epoch(epoch + 1, steps_done_, metrics)
                             : absl::OkStatus();
}

EvaluateContext TrainingLoop::ContextOf(int64_t step) const {
  const double frozen_from = options_.freeze_after * static_cast<double>(steps());
  return {
      .phase = RunPhase::kTrain,
      .statistics_frozen = options_.freeze_after < 1.0 && static_cast<double>(step) >= frozen_from,
      .generator = at::make_generator<at::CPUGeneratorImpl>(
          Mix(options_.seed, static_cast<uint64_t>(step)))};
}

absl::Status TrainingLoop::RunStep(const Batch& batch, int64_t epoch,
                                   ClassificationMetrics& metrics) {
  const int64_t step = epoch * loader_.num_batches() + batch.index;
  const double rate =
      LearningRateAt(options_.schedule,
                     {.steps_per_epoch = loader_.num_batches(), .epochs = options_.epochs}, step);
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<at::Tensor> outputs,
                           executor_->Run({batch.images}, ContextOf(step)));
  const at::Tensor loss = at::cross_entropy_loss(outputs[0], batch.labels, {}, at::Reduction::Mean,
                                                 /*ignore_index=*/-100, options_.label_smoothing);
  const double loss_value = loss.item<double>();
  if (!std::isfinite(loss_value)) {
    return ExplainNotFinite(*executor_, batch.images, ContextOf(step), Divergence(step),
                            kDivergenceAdvice);
  }
  optimizer_.ZeroGradients();
  loss.backward();
  QUANTRY_RETURN_IF_ERROR(CheckGradientsFinite(graph_, Divergence(step), kDivergenceAdvice));
  if (options_.gradient_clip) ClipGradientNorm(optimizer_.Parameters(), *options_.gradient_clip);
  optimizer_.Step(rate);
  steps_done_ = step + 1;
  metrics.Add(outputs[0], batch.labels);
  if (!callbacks_.on_step) return absl::OkStatus();
  return callbacks_.on_step({.epoch = epoch,
                             .steps_done = steps_done_,
                             .steps = steps(),
                             .learning_rate = rate,
                             .loss = loss_value,
                             .logits = outputs[0],
                             .labels = batch.labels});
}

absl::Status TrainingLoop::SaveIfDue(bool epoch_ended) {
  const bool due = options_.checkpoint_steps
                       ? steps_done_ % *options_.checkpoint_steps == 0 || steps_done_ == steps()
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
          .momenta = optimizer_.Momenta()};
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
