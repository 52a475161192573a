#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_NAMED_METRIC_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_NAMED_METRIC_H_

#include "absl/strings/string_view.h"

namespace quantry::engine {

// One figure; `name` lives forever.
struct NamedMetric {
  absl::string_view name;
  double value = 0.0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_NAMED_METRIC_H_
