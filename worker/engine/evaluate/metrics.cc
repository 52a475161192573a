#include "worker/engine/evaluate/metrics.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace quantry::engine {

void ClassificationMetrics::Add(const at::Tensor& logits, const at::Tensor& labels) {
  const at::NoGradGuard no_grad;
  const at::Tensor scores = logits.detach();
  examples_ += labels.size(0);
  loss_sum_ += at::cross_entropy_loss(scores, labels, {}, at::Reduction::Sum).item<double>();
  top1_hits_ += scores.argmax(1).eq(labels).sum().item<int64_t>();
  const int64_t k = std::min<int64_t>(5, scores.size(1));
  const at::Tensor best = std::get<1>(scores.topk(k, 1));
  top5_hits_ += best.eq(labels.unsqueeze(1)).any(1).sum().item<int64_t>();
}

}  // namespace quantry::engine
