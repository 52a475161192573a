#include <ATen/ATen.h>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return {at::mul(inputs[0], inputs[1])};
}

}  // namespace

extern const OperatorDef kMulOperator = {
    .op = "Mul", .min_inputs = 2, .max_inputs = 2, .evaluate = Evaluate};

}  // namespace quantry::engine
