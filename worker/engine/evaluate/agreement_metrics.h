#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_AGREEMENT_METRICS_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_AGREEMENT_METRICS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "worker/engine/evaluate/named_metric.h"

namespace quantry::engine {

// Sums up how near the outputs of a model are to those of another, the float model: what can be
// said without labels. Not thread-safe.
class AgreementMetrics {
 public:
  // Outputs of the same shapes, in order. Takes no gradient.
  void Add(absl::Span<const at::Tensor> outputs, absl::Span<const at::Tensor> reference);

  // There is no task.
  double loss() const { return 0.0; }

  //   sqnr_db    10 log10(sum r^2 / sum (r - x)^2) over all float outputs, in decibel, at most
  //              kMaxDecibel; absent where the reference is 0 everywhere
  //   agreement  share of examples whose largest value of the first output, float [n, k >= 2], is
  //              at the same place; absent for outputs of another form
  std::vector<NamedMetric> Values() const;

  static constexpr double kMaxDecibel = 200.0;

 private:
  double signal_ = 0.0;
  double noise_ = 0.0;
  int64_t compared_ = 0;  // examples
  int64_t agreeing_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_AGREEMENT_METRICS_H_
