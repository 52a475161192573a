#include "worker/engine/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"

namespace quantry::engine {

absl::Status ScheduleOptions::Validate() const {
  if (!(learning_rate > 0.0) || !std::isfinite(learning_rate)) {
    return absl::InvalidArgumentError(
        absl::StrCat("learning_rate is ", learning_rate, "; it must be larger than 0"));
  }
  if (step_epochs < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("step_epochs is ", step_epochs, "; it must be at least 1"));
  }
  if (!(step_gamma > 0.0 && step_gamma <= 1.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("step_gamma is ", step_gamma, "; it must be in (0, 1]"));
  }
  if (!(polynomial_power > 0.0) || !std::isfinite(polynomial_power)) {
    return absl::InvalidArgumentError(
        absl::StrCat("polynomial_power is ", polynomial_power, "; it must be larger than 0"));
  }
  if (!(warmup_epochs >= 0.0) || !std::isfinite(warmup_epochs)) {
    return absl::InvalidArgumentError(
        absl::StrCat("warmup_epochs is ", warmup_epochs, "; it must be at least 0"));
  }
  return absl::OkStatus();
}

namespace {

// How much of the time after the warm-up has passed, in [0, 1].
double ShareDone(const ScheduleExtent& extent, double warmup, double now) {
  const double total = static_cast<double>(extent.steps_per_epoch * extent.epochs);
  return std::clamp((now - warmup) / std::max(1.0, total - warmup), 0.0, 1.0);
}

}  // namespace

double LearningRateAt(const ScheduleOptions& options, const ScheduleExtent& extent, int64_t step) {
  const double warmup = options.warmup_epochs * static_cast<double>(extent.steps_per_epoch);
  const double now = static_cast<double>(step);
  if (now < warmup) return options.learning_rate * std::min(1.0, (now + 1.0) / warmup);
  switch (options.kind) {
    case ScheduleKind::kConstant:
      break;
    case ScheduleKind::kCosine: {
      const double share = ShareDone(extent, warmup, now);
      return options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * share));
    }
    case ScheduleKind::kPolynomial:
      return options.learning_rate *
             std::pow(1.0 - ShareDone(extent, warmup, now), options.polynomial_power);
    case ScheduleKind::kStep: {
      const int64_t drops = step / extent.steps_per_epoch / options.step_epochs;
      return options.learning_rate * std::pow(options.step_gamma, static_cast<double>(drops));
    }
  }
  return options.learning_rate;
}

}  // namespace quantry::engine
