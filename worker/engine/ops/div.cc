#include <ATen/ATen.h>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const bool integral = at::isIntegralType(inputs[0].scalar_type(), /*includeBool=*/true) &&
                        at::isIntegralType(inputs[1].scalar_type(), /*includeBool=*/true);
  // ONNX divides integers towards zero. ATen refuses to divide the tensor by zeros then.
  if (integral) return {at::div(inputs[0], inputs[1], "trunc")};
  return {at::div(inputs[0], inputs[1])};
}

}  // namespace

extern const OperatorDef kDivOperator = {
    .op = "Div", .min_inputs = 2, .max_inputs = 2, .evaluate = Evaluate};

}  // namespace quantry::engine
