#ifndef QUANTRY_WORKER_ENGINE_TRAIN_DISTILLATION_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_DISTILLATION_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace quantry::engine {

// How a network learns from another, its teacher:
//   task_weight * task + weight * distance(outputs) + feature_weight * sum over features
struct DistillationOptions {
  std::string kind = "kl";      // distance of the outputs: "kl", "mse", "none"
  double weight = 1.0;          // > 0
  double temperature = 1.0;     // kl: > 0
  // >= 0; 0: labels have no effect. Absent: 1, or 0 for data without labels.
  std::optional<double> task_weight;
  double feature_weight = 1.0;  // > 0
  // Names of inner values, compared by mean squared error.
  std::vector<std::string> features;

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_DISTILLATION_OPTIONS_H_
