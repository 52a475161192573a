#include "worker/engine/export/checked_qparams.h"

#include <ATen/ATen.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {

absl::StatusOr<QParams> CheckedQParams(const Node& fake_quantize) {
  const std::string& tensor = fake_quantize.input(kFakeQuantizeX)->name();
  const Value* initialized = fake_quantize.input(kFakeQuantizeInitialized);
  const bool seen = initialized->tensor().item<float>() != 0;
  if (NeedsObservation(SpecOf(fake_quantize)) && !seen) {
    return absl::FailedPreconditionError(
        absl::StrCat("the quantizer of '", tensor, "' has not seen any data: calibrate first"));
  }
  QParams qparams = EvaluationQParams(fake_quantize);
  for (at::Tensor* part : {&qparams.step, &qparams.low, &qparams.high}) {
    *part = part->cpu();
    if (!part->isfinite().all().item<bool>()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the threshold of the quantizer of '", tensor, "' is not finite"));
    }
  }
  return qparams;
}

}  // namespace quantry::engine
