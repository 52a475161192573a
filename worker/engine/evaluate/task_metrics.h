#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_TASK_METRICS_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_TASK_METRICS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/data/target.h"
#include "worker/engine/evaluate/agreement_metrics.h"
#include "worker/engine/evaluate/label_metrics.h"
#include "worker/engine/evaluate/metrics.h"
#include "worker/engine/evaluate/named_metric.h"
#include "worker/engine/evaluate/value_metrics.h"

namespace quantry::engine {

// The figures of a task, whichever it is, summed up batch by batch:
//   kClass       ClassificationMetrics: top1 (the score), top5
//   kMultiLabel  LabelMetrics: mean_average_precision (the score), f1, subset_accuracy
//   kValues      ValueMetrics: rmse (the score: less is better), mae, r2
//   kNone        AgreementMetrics: sqnr_db (the score), agreement
// Not thread-safe.
class TaskMetrics {
 public:
  explicit TaskMetrics(TargetKind kind = TargetKind::kClass);

  TargetKind kind() const { return kind_; }

  // `output`: the model's for the task; `targets` as in Batch. With kNone only counts.
  void Add(const at::Tensor& output, const at::Tensor& targets);
  // kNone: the outputs of a model and those of the one that it is to agree with, in order.
  void Compare(absl::Span<const at::Tensor> outputs, absl::Span<const at::Tensor> reference);

  int64_t examples() const { return examples_; }
  // Mean over the examples; 0 if there is none, or with kNone. See the classes above.
  double loss() const;
  // kClass only, else 0.
  double top1() const;
  double top5() const;

  // All figures that are known, the score first.
  std::vector<NamedMetric> Values() const;
  // The figure by which models are chosen, turned so that more is better; 0 before the first batch.
  double score() const;

 private:
  using Sums = std::variant<ClassificationMetrics, LabelMetrics, ValueMetrics, AgreementMetrics>;

  TargetKind kind_;
  Sums sums_;
  int64_t examples_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_TASK_METRICS_H_
