#ifndef QUANTRY_WORKER_ENGINE_TRAIN_TRAIN_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_TRAIN_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "worker/engine/ops/precision.h"
#include "worker/engine/train/distillation_options.h"
#include "worker/engine/train/loss.h"
#include "worker/engine/train/optimizer.h"
#include "worker/engine/train/schedule.h"

namespace quantry::engine {

// How a graph is trained.
struct TrainOptions {
  int64_t epochs = 10;  // >= 0
  ScheduleOptions schedule;
  OptimizerOptions optimizer;
  LossOptions loss;
  size_t task_output = 0;           // which output of the graph the targets are for
  double weight_decay = 3e-5;       // on every parameter but PACT's alpha, >= 0
  bool decay_norm_and_bias = true;  // whether weight_decay falls on parameters with < 2 dimensions
  std::optional<double> gradient_clip;  // largest global L2 norm of the gradients, > 0
  // A step is one batch; so many of them make one update, by the mean of their gradients. >= 1.
  int64_t accumulate_batches = 1;
  double mixup = 0.0;  // alpha of mixup.h, >= 0; 0: off
  uint64_t seed = 0;   // of dropout and mixup
  // Decay of a WeightAverage, which is evaluated and exported. (0, 1). Absent: the weights are.
  std::optional<double> ema_decay;
  // Batches of ReestimateBatchNorm before every evaluation and in Finish(). >= 1. Absent: none.
  std::optional<int64_t> batch_norm_batches;
  std::optional<DistillationOptions> distillation;
  // A checkpoint every so many steps, >= 1, and at the end. Absent: at each epoch's end.
  std::optional<int64_t> checkpoint_steps;
  // BatchNorm statistics and observers stop changing after this share of the steps, in (0, 1].
  double freeze_after = 1.0;
  std::optional<double> freeze_batch_norm_after;  // freeze_after for BatchNorm alone
  std::optional<double> freeze_observers_after;   // freeze_after for observers alone
  // An evaluation every so many steps or epochs (one of the two), >= 1, and at the end. Absent:
  // none.
  std::optional<int64_t> evaluate_steps;
  std::optional<int64_t> evaluate_epochs;
  bool keep_best = false;           // Finish() takes the weights with the best score
  std::optional<int64_t> patience;  // stop after so many evaluations without a better score, >= 1
  double pact_learning_rate_factor = 1.0;  // of PACT's alpha, times the learning rate, > 0
  double pact_weight_decay = 1e-4;         // L2 on PACT's alpha, >= 0

  // Where several processes divide each batch: BatchNorm takes the statistics of the whole batch,
  // as one process would; else each those of its part, and the running ones are the mean of all.
  bool sync_batch_norm = true;

  // Of the products of layers, forward and backward.
  Precision precision = Precision::kFloat32;

  bool evaluates() const { return evaluate_steps || evaluate_epochs; }

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_TRAIN_OPTIONS_H_
