#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  c10::optional<at::Scalar> least;
  c10::optional<at::Scalar> most;
  if (inputs.size() > 1 && inputs[1].defined()) least = inputs[1].item();
  if (inputs.size() > 2 && inputs[2].defined()) most = inputs[2].item();
  if (!least && !most) return {x};
  // hardtanh gives no gradient where x is at a bound, as torch's ReLU6; clamp would.
  if (least && most && x.is_floating_point()) return {at::hardtanh(x, *least, *most)};
  return {at::clamp(x, least, most)};
}

// Up to opset 10 the bounds were attributes.
absl::Status Upgrade(Graph& graph, Node& node, int64_t opset) {
  if (opset >= 11) return absl::OkStatus();
  size_t index = 1;
  for (const char* name : {"min", "max"}) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<float> bound, TakeAttribute<float>(node, name));
    if (bound) SetConstantInput(graph, node, index, at::scalar_tensor(*bound, at::kFloat));
    ++index;
  }
  return absl::OkStatus();
}

}  // namespace

extern const OperatorDef kClipOperator = {
    .op = "Clip",
    .min_inputs = 1,
    .max_inputs = 3,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
