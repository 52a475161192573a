#include <ATen/ATen.h>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return {at::relu(inputs[0])};
}

}  // namespace

extern const OperatorDef kReluOperator = {.op = "Relu", .evaluate = Evaluate};

}  // namespace quantry::engine
