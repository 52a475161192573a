#ifndef QUANTRY_WORKER_ENGINE_TRAIN_LOSS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_LOSS_H_

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/data/target.h"

namespace quantry::engine {

// Which loss of the task, and the constants of all of them; each uses its own.
struct LossOptions {
  std::string name = "cross_entropy";  // a line of LossTable()
  // The target is (1 - label_smoothing) * target + label_smoothing / classes. [0, 1).
  double label_smoothing = 0.0;
  double huber_delta = 1.0;  // huber: where the square becomes a line, > 0

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

// One loss. A new one: a file that defines `extern const LossDef kNameLoss`, and a line in the
// table.
struct LossDef {
  absl::string_view name;
  // The mean loss, a scalar, of `outputs`, float [n, k]. `targets`: float [n, k], shares in [0, 1]
  // or, for regression, any values; or int64 [n], classes in [0, k). Differentiable in `outputs`.
  at::Tensor (*compute)(const at::Tensor& outputs, const at::Tensor& targets, const LossOptions&);
  bool takes_classes = false;
  bool takes_labels = false;
  bool takes_values = false;

  bool Takes(TargetKind kind) const;
};

absl::Span<const LossDef* const> LossTable();

// The name of the loss that is meant where none is named; "" for kNone.
absl::string_view DefaultLoss(TargetKind kind);

// Null if there is none of this name.
const LossDef* FindLoss(absl::string_view name);

// Targets as float [n, k]: a class becomes 1 for the class and 0 for the others, smoothed as
// options say; dense targets are only smoothed.
at::Tensor DenseTargets(const at::Tensor& targets, int64_t classes, const LossOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_LOSS_H_
