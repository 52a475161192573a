#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_VALUE_METRICS_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_VALUE_METRICS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/engine/evaluate/named_metric.h"

namespace quantry::engine {

// Sums up how near outputs are to real targets. Not thread-safe.
class ValueMetrics {
 public:
  // `outputs` float [n, k] or another shape with k elements per example; `targets` float [n, k].
  // Takes no gradient.
  void Add(const at::Tensor& outputs, const at::Tensor& targets);

  // Mean squared error over all elements.
  double loss() const;

  //   rmse  root of the mean squared error over all elements
  //   mae   mean absolute error over all elements
  //   r2    1 - squared errors / squared deviations of the targets from their mean, which is taken
  //         per column; absent where the targets do not vary
  std::vector<NamedMetric> Values() const;

 private:
  int64_t examples_ = 0;
  int64_t elements_ = 0;
  double squares_ = 0.0;
  double absolutes_ = 0.0;
  at::Tensor mean_;        // of the targets so far, per column, float64 [k]
  at::Tensor deviations_;  // their squared deviations from it, float64 [k]
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_VALUE_METRICS_H_
