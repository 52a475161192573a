#include "worker/engine/evaluate/task_metrics.h"

#include <ATen/ATen.h>

namespace quantry::engine {

TaskMetrics::TaskMetrics(TargetKind kind) : kind_(kind) {
  switch (kind) {
    case TargetKind::kClass:
      break;  // what a variant starts with
    case TargetKind::kMultiLabel:
      sums_.emplace<LabelMetrics>();
      break;
    case TargetKind::kValues:
      sums_.emplace<ValueMetrics>();
      break;
    case TargetKind::kNone:
      sums_.emplace<AgreementMetrics>();
      break;
  }
}

void TaskMetrics::Add(const at::Tensor& output, const at::Tensor& targets) {
  examples_ += output.size(0);
  if (auto* const sums = std::get_if<ClassificationMetrics>(&sums_)) sums->Add(output, targets);
  if (auto* const sums = std::get_if<LabelMetrics>(&sums_)) sums->Add(output, targets);
  if (auto* const sums = std::get_if<ValueMetrics>(&sums_)) sums->Add(output, targets);
}

void TaskMetrics::Compare(absl::Span<const at::Tensor> outputs,
                          absl::Span<const at::Tensor> reference) {
  if (auto* const sums = std::get_if<AgreementMetrics>(&sums_)) sums->Add(outputs, reference);
}

double TaskMetrics::loss() const {
  return std::visit([](const auto& sums) { return sums.loss(); }, sums_);
}

double TaskMetrics::top1() const {
  const auto* const sums = std::get_if<ClassificationMetrics>(&sums_);
  return sums == nullptr ? 0.0 : sums->top1();
}

double TaskMetrics::top5() const {
  const auto* const sums = std::get_if<ClassificationMetrics>(&sums_);
  return sums == nullptr ? 0.0 : sums->top5();
}

std::vector<NamedMetric> TaskMetrics::Values() const {
  if (examples_ == 0) return {};
  return std::visit([](const auto& sums) { return sums.Values(); }, sums_);
}

double TaskMetrics::score() const {
  const std::vector<NamedMetric> values = Values();
  if (values.empty()) return 0.0;
  return kind_ == TargetKind::kValues ? -values.front().value : values.front().value;
}

}  // namespace quantry::engine
