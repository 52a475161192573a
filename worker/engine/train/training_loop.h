#ifndef QUANTRY_WORKER_ENGINE_TRAIN_TRAINING_LOOP_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_TRAINING_LOOP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/evaluate/task_metrics.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/train/best_tracker.h"
#include "worker/engine/train/checkpoint.h"
#include "worker/engine/train/data_parallel.h"
#include "worker/engine/train/distillation.h"
#include "worker/engine/train/optimizer.h"
#include "worker/engine/train/step_bounds.h"
#include "worker/engine/train/train_options.h"
#include "worker/engine/train/weight_average.h"

namespace quantry::engine {

// One finished training step, valid during the call that hands it over.
struct TrainedStep {
  int64_t epoch = 0;       // counted from 0
  int64_t steps_done = 0;  // over all epochs, this one included
  int64_t steps = 0;       // of the whole run
  double learning_rate = 0.0;
  double loss = 0.0;          // that was minimised, of this batch
  int64_t examples = 0;       // of this batch
  const at::Tensor& logits;   // the output that the task is about, from before the update
  const at::Tensor& targets;  // as in Batch
};

// What the loop tells and asks of whoever runs it. All may be empty. An error ends the run. Of
// several ranks all must set the same ones; rank 0 alone is asked to evaluate and to save.
struct TrainingCallbacks {
  std::function<absl::Status(const TrainedStep&)> on_step;
  // At an epoch's end: epochs done, steps done, and metrics of the epoch's steps in this process.
  std::function<absl::Status(int64_t epochs_done, int64_t steps_done, const TaskMetrics&)> on_epoch;
  // The score (larger is better) of the graph as it is during the call, after `steps_done` steps;
  // asked as TrainOptions say. What it changes in the graph is undone. Must not use the loader of
  // the training.
  std::function<absl::StatusOr<double>(int64_t steps_done)> evaluate;
  // Keeps a checkpoint; `identity` is still empty.
  std::function<absl::Status(Checkpoint)> save;
  // Asked after each step: whether to save and stop with CANCELLED.
  std::function<bool()> interrupted;
};

// Trains a model in place, on whatever targets the loader has. A run that is stopped and continued
// from its checkpoint ends with the same bits as one that was not. Several processes can run the
// loop together, each on its part of every batch (data_parallel.h); they take the same steps, up to
// the rounding of sums, and a checkpoint of theirs can be continued by any number of processes. Not
// thread-safe.
class TrainingLoop {
 public:
  // Makes parameters ask for gradients and convolution weights channels_last. `graph` and `loader`
  // must outlive the loop; the graph must not be edited meanwhile. `teacher` likewise: the model to
  // learn from, needed and used with options.distillation only, and `ranks`, the processes that
  // train together; null: this one alone. INVALID_ARGUMENT names an option, or says that the loss
  // does not fit the targets; FAILED_PRECONDITION: the machine does not have options.precision.
  static absl::StatusOr<std::unique_ptr<TrainingLoop>> Create(Graph& graph, Loader& loader,
                                                              const TrainOptions& options,
                                                              TrainingCallbacks callbacks,
                                                              const Graph* teacher = nullptr,
                                                              Collective* ranks = nullptr);

  // Goes on from a checkpoint of the same model and data. FAILED_PRECONDITION if it does not fit.
  absl::Status Restore(const Checkpoint& checkpoint);

  // Trains to the end. CANCELLED after an interruption, with a checkpoint saved. A loss or
  // gradient that is NaN or infinite: an error as in evaluate/not_finite.h, naming the layer.
  absl::Status Run();

  // After Run(): puts into the graph what is to be evaluated and exported: the weights of the best
  // evaluation (keep_best), else the averages (ema_decay) with BatchNorm statistics measured anew
  // (batch_norm_batches). Checkpoints are to be made before; the loop is of no use afterwards.
  absl::Status Finish();

  int64_t steps_done() const { return steps_done_; }
  // Whether Run() ended early, for want of better scores.
  bool stopped_early() const { return tracker_ && tracker_->ShouldStop() && steps_done_ < steps(); }
  int64_t steps() const { return options_.epochs * loader_.num_batches(); }
  // Time spent in Run(), over all runs that the checkpoints connect.
  double train_seconds() const { return train_seconds_; }
  // The whole state as it is now.
  Checkpoint MakeCheckpoint() const;

 private:
  TrainingLoop(Graph& graph, Loader& loader, const TrainOptions& options,
               TrainingCallbacks callbacks, std::unique_ptr<Executor> executor,
               std::unique_ptr<Distiller> distiller, Collective* ranks);

  absl::Status RunEpoch(int64_t epoch);
  absl::Status RunStep(const Batch& batch, int64_t epoch, TaskMetrics& metrics);
  // What is to be minimised; `targets` as LossDef has them.
  absl::StatusOr<at::Tensor> LossOf(absl::Span<const at::Tensor> inputs,
                                    absl::Span<const at::Tensor> outputs,
                                    const at::Tensor& targets);
  // Of this rank's part of a batch; with its weight.
  absl::Status Backward(const at::Tensor& loss, double weight, int64_t step);
  bool CompletesUpdate(int64_t step) const;
  // Takes part of the batches of an update: changes the weights after the last one.
  void UpdateIfDue(int64_t step, double rate);
  EvaluateContext ContextOf(int64_t step, const BatchPart& part) const;
  absl::Status ExplainLoss(const std::vector<at::Tensor>& inputs, bool finite_here, int64_t step);
  // Metrics and callback after the update.
  absl::Status ReportStep(const TrainedStep& step, TaskMetrics& metrics);
  std::vector<NamedTensor> WholeState() const;

  bool Stopping() const { return tracker_ && tracker_->ShouldStop(); }
  absl::Status EvaluateIfDue();
  absl::Status Evaluate();
  absl::StatusOr<double> Score();
  // The averages, if there are any, and new BatchNorm statistics, if asked for.
  absl::Status ApplyAverages();

  absl::Status SaveIfDue(bool epoch_ended);
  absl::Status Save();

  Graph& graph_;
  Loader& loader_;
  const TrainOptions options_;
  const TrainingCallbacks callbacks_;
  SingleProcess alone_;
  const std::unique_ptr<Executor> executor_;
  const std::unique_ptr<Distiller> distiller_;  // null: none
  const std::unique_ptr<Optimizer> optimizer_;
  StepBounds step_bounds_;
  DataParallel parallel_;
  std::optional<WeightAverage> average_;
  std::optional<BestTracker> tracker_;
  std::optional<int64_t> open_update_;  // whose gradients are not yet all there
  int64_t steps_done_ = 0;
  std::optional<int64_t> saved_at_;  // steps_done of the last checkpoint
  double train_seconds_ = 0.0;
  double seconds_before_ = 0.0;  // train_seconds_ when Run() began
};

// Parameters and buffers of `graph` by name: what a checkpoint holds of it.
std::vector<NamedTensor> GraphState(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_TRAINING_LOOP_H_
