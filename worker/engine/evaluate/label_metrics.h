#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_LABEL_METRICS_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_LABEL_METRICS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/engine/evaluate/named_metric.h"

namespace quantry::engine {

// Sums up how well logits, a yes or no each, fit several labels at once. A label counts as given
// where its logit is above 0. Not thread-safe.
class LabelMetrics {
 public:
  // `logits` float [n, k], `labels` float [n, k] of 0 and 1. Takes no gradient.
  void Add(const at::Tensor& logits, const at::Tensor& labels);

  // Mean binary cross-entropy over all elements, in nats.
  double loss() const;

  //   mean_average_precision  mean over labels of: with examples in the order of their logits
  //                           (equal ones as one step), the sum over steps of the gain in recall
  //                           times the precision so far; labels that no example has are left out.
  //                           Absent where none has any, or beyond kMaxScores elements, whose
  //                           logits would have to be kept
  //   f1                      2 hits / (given + true), over all labels together
  //   subset_accuracy         share of examples with every label right
  std::vector<NamedMetric> Values() const;

  static constexpr int64_t kMaxScores = int64_t{1} << 26;  // 256 MiB, twice

 private:
  double MeanAveragePrecision(int64_t* labels_with_examples) const;

  int64_t examples_ = 0;
  int64_t elements_ = 0;
  double loss_sum_ = 0.0;
  int64_t hits_ = 0;  // true labels that were given
  int64_t given_ = 0;
  int64_t true_ = 0;
  int64_t all_right_ = 0;
  std::vector<at::Tensor> logits_;  // per batch, up to kMaxScores elements
  std::vector<at::Tensor> labels_;
};

// The average precision of one label, as described above; `scores` float [n], `labels` [n] of 0 and
// 1, at least one of them 1.
double AveragePrecision(const at::Tensor& scores, const at::Tensor& labels);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_LABEL_METRICS_H_
