#ifndef QUANTRY_WORKER_ENGINE_TRAIN_TRAIN_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_TRAIN_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "worker/engine/train/schedule.h"

namespace quantry::engine {

// How a graph is trained.
struct TrainOptions {
  int64_t epochs = 10;  // >= 0
  ScheduleOptions schedule;
  double momentum = 0.9;                // [0, 1)
  double weight_decay = 3e-5;           // L2 on every parameter but PACT's alpha, >= 0
  double label_smoothing = 0.0;         // [0, 1)
  std::optional<double> gradient_clip;  // largest global L2 norm of the gradients, > 0
  uint64_t seed = 0;                    // of dropout
  // A checkpoint every so many steps, >= 1, and at the end. Absent: at each epoch's end.
  std::optional<int64_t> checkpoint_steps;
  // BatchNorm statistics and observers stop changing after this share of the steps, in (0, 1].
  double freeze_after = 1.0;
  double pact_learning_rate_factor = 1.0;  // of PACT's alpha, times the learning rate, > 0
  double pact_weight_decay = 1e-4;         // L2 on PACT's alpha, >= 0

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_TRAIN_OPTIONS_H_
