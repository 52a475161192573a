#include "worker/engine/train/loss.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/train/require.h"

namespace quantry::engine {

extern const LossDef kBinaryCrossEntropyLoss;
extern const LossDef kCrossEntropyLoss;
extern const LossDef kHuberLoss;
extern const LossDef kMeanSquaredErrorLoss;

absl::Span<const LossDef* const> LossTable() {
  static constexpr const LossDef* kLosses[] = {&kCrossEntropyLoss, &kBinaryCrossEntropyLoss,
                                               &kMeanSquaredErrorLoss, &kHuberLoss};
  return kLosses;
}

const LossDef* FindLoss(absl::string_view name) {
  for (const LossDef* loss : LossTable()) {
    if (loss->name == name) return loss;
  }
  return nullptr;
}

bool LossDef::Takes(TargetKind kind) const {
  return (kind == TargetKind::kClass && takes_classes) ||
         (kind == TargetKind::kMultiLabel && takes_labels) ||
         (kind == TargetKind::kValues && takes_values);
}

absl::string_view DefaultLoss(TargetKind kind) {
  switch (kind) {
    case TargetKind::kClass:
      return kCrossEntropyLoss.name;
    case TargetKind::kMultiLabel:
      return kBinaryCrossEntropyLoss.name;
    case TargetKind::kValues:
      return kMeanSquaredErrorLoss.name;
    case TargetKind::kNone:
      break;
  }
  return "";
}

absl::Status LossOptions::Validate() const {
  if (FindLoss(name) == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("loss is '", name, "'; it must be one of ",
                     absl::StrJoin(LossTable(), ", ", [](std::string* out, const LossDef* loss) {
                       absl::StrAppend(out, "'", loss->name, "'");
                     })));
  }
  QUANTRY_RETURN_IF_ERROR(Require(label_smoothing >= 0.0 && label_smoothing < 1.0,
                                  "label_smoothing", label_smoothing, "in [0, 1)"));
  return RequirePositive("huber_delta", huber_delta);
}

at::Tensor DenseTargets(const at::Tensor& targets, int64_t classes, const LossOptions& options) {
  const at::Tensor dense =
      targets.is_floating_point() ? targets : at::one_hot(targets, classes).to(at::kFloat);
  if (options.label_smoothing == 0.0) return dense;
  return dense * (1.0 - options.label_smoothing) +
         options.label_smoothing / static_cast<double>(classes);
}

}  // namespace quantry::engine
