#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_METRICS_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_METRICS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/engine/evaluate/named_metric.h"

namespace quantry::engine {

// Sums up how well logits fit labels, batch by batch. Not thread-safe.
class ClassificationMetrics {
 public:
  // `logits` float [n, classes], `labels` int64 [n] with values in [0, classes). Takes no gradient.
  void Add(const at::Tensor& logits, const at::Tensor& labels);

  int64_t examples() const { return examples_; }

  // Means over the examples added; 0 if there is none yet. The loss is plain cross-entropy in nats;
  // the others are shares in [0, 1]. With fewer than five classes top5 counts all of them.
  double loss() const { return Mean(loss_sum_); }
  double top1() const { return Mean(static_cast<double>(top1_hits_)); }
  double top5() const { return Mean(static_cast<double>(top5_hits_)); }
  std::vector<NamedMetric> Values() const { return {{"top1", top1()}, {"top5", top5()}}; }

 private:
  double Mean(double sum) const {
    return examples_ == 0 ? 0.0 : sum / static_cast<double>(examples_);
  }

  int64_t examples_ = 0;
  double loss_sum_ = 0.0;
  int64_t top1_hits_ = 0;
  int64_t top5_hits_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_METRICS_H_
