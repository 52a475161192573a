#include "worker/engine/evaluate/label_metrics.h"

#include <ATen/ATen.h>

namespace quantry::engine {
namespace {

double Ratio(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

}  // namespace

double AveragePrecision(const at::Tensor& scores, const at::Tensor& labels) {
  const at::Tensor order = at::argsort(scores, /*dim=*/0, /*descending=*/true);
  const at::Tensor sorted = scores.index_select(0, order).to(at::kFloat).contiguous();
  const at::Tensor flags = labels.index_select(0, order).to(at::kFloat).contiguous();
  const float* const score = sorted.data_ptr<float>();
  const float* const flag = flags.data_ptr<float>();
  const int64_t n = sorted.size(0);
  double sum = 0.0;
  int64_t hits = 0, new_hits = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (flag[i] > 0.5f) ++new_hits;
    if (i + 1 < n && score[i + 1] == score[i]) continue;
    hits += new_hits;
    sum += static_cast<double>(new_hits) * static_cast<double>(hits) / static_cast<double>(i + 1);
    new_hits = 0;
  }
  return sum / static_cast<double>(hits);
}

void LabelMetrics::Add(const at::Tensor& logits, const at::Tensor& labels) {
  const at::NoGradGuard no_grad;
  const at::Tensor scores = logits.detach().to(at::kFloat);
  examples_ += labels.size(0);
  elements_ += labels.numel();
  loss_sum_ += at::binary_cross_entropy_with_logits(scores, labels, {}, {}, at::Reduction::Sum)
                   .item<double>();
  const at::Tensor given = scores.gt(0);
  const at::Tensor wanted = labels.gt(0.5);
  hits_ += given.logical_and(wanted).sum().item<int64_t>();
  given_ += given.sum().item<int64_t>();
  true_ += wanted.sum().item<int64_t>();
  all_right_ += given.eq(wanted).all(1).sum().item<int64_t>();
  if (elements_ > kMaxScores) {
    logits_.clear();
    labels_.clear();
    return;
  }
  logits_.push_back(scores.clone());
  labels_.push_back(wanted.to(at::kByte));
}

double LabelMetrics::loss() const { return Ratio(loss_sum_, static_cast<double>(elements_)); }

double LabelMetrics::MeanAveragePrecision(int64_t* labels_with_examples) const {
  *labels_with_examples = 0;
  if (logits_.empty()) return 0.0;
  const at::Tensor logits = at::cat(logits_);
  const at::Tensor labels = at::cat(labels_);
  double sum = 0.0;
  for (int64_t k = 0; k < labels.size(1); ++k) {
    const at::Tensor of_label = labels.select(1, k);
    if (!of_label.any().item<bool>()) continue;
    ++*labels_with_examples;
    sum += AveragePrecision(logits.select(1, k), of_label);
  }
  return Ratio(sum, static_cast<double>(*labels_with_examples));
}

std::vector<NamedMetric> LabelMetrics::Values() const {
  std::vector<NamedMetric> values;
  int64_t counted = 0;
  const double precision = MeanAveragePrecision(&counted);
  if (counted > 0) values.push_back({"mean_average_precision", precision});
  values.push_back({"f1", Ratio(2.0 * static_cast<double>(hits_),
                                static_cast<double>(given_) + static_cast<double>(true_))});
  values.push_back(
      {"subset_accuracy", Ratio(static_cast<double>(all_right_), static_cast<double>(examples_))});
  return values;
}

}  // namespace quantry::engine
