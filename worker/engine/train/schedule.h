#ifndef QUANTRY_WORKER_ENGINE_TRAIN_SCHEDULE_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_SCHEDULE_H_

#include <cstdint>

#include "absl/status/status.h"

namespace quantry::engine {

enum class ScheduleKind {
  kConstant = 1,
  kCosine = 2,      // half a cosine from the base rate to 0
  kStep = 3,        // times step_gamma every step_epochs
  kPolynomial = 4,  // from the base rate to 0 as a power of what is left
};

// How the learning rate changes with the step.
struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kCosine;
  double learning_rate = 0.1;     // the base rate, > 0
  int64_t step_epochs = 10;       // kStep: epochs between drops, >= 1
  double step_gamma = 0.1;        // kStep: factor at each drop, in (0, 1]
  double polynomial_power = 1.0;  // kPolynomial: > 0; 1 is a straight line
  double warmup_epochs = 0.0;     // linear from 0 to the base rate over this many epochs, >= 0

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

// Length of a run.
struct ScheduleExtent {
  int64_t steps_per_epoch = 1;  // >= 1
  int64_t epochs = 1;           // >= 0
};

// The rate of step `step` (counted from 0), a pure function. With W = warmup_epochs *
// steps_per_epoch and T all steps: base * min(1, (step + 1) / W) during the warm-up, then base * (1
// + cos(pi * (step - W) / (T - W))) / 2, base * gamma^floor(epoch / step_epochs) or base * (1 -
// (step - W) / (T - W))^power.
double LearningRateAt(const ScheduleOptions& options, const ScheduleExtent& extent, int64_t step);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_SCHEDULE_H_
