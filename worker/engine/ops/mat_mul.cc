#include <ATen/ATen.h>

#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return {at::matmul(inputs[0], inputs[1])};
}

// A linear layer if the right operand is a matrix of weights [in, out]; "MatMul" is one of two
// activations.
std::string LayerType(const Node& node) {
  const Value* weight = InitializerBehind(node, 1);
  if (weight == nullptr && InitializerBehind(node, 0) == nullptr) return "MatMul";
  return weight != nullptr && weight->tensor().dim() == 2 ? "Linear" : "";
}

int64_t WeightAxis(const Node&) { return 1; }

}  // namespace

extern const OperatorDef kMatMulOperator = {
    .op = "MatMul",
    .min_inputs = 2,
    .max_inputs = 2,
    .input_kinds = {InputKind::kActivation, InputKind::kWeight},
    .precision_use = PrecisionUse::kAll,
    .layer_type = LayerType,
    .weight_axis = WeightAxis,
    .evaluate = Evaluate};

}  // namespace quantry::engine
