#include <ATen/ATen.h>

#include <c10/core/WrapDimMinimal.h>
#include <numeric>
#include <string>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

// ATen's list: last axis first, for each how much before and after.
std::vector<int64_t> PadsOf(absl::Span<const at::Tensor> inputs) {
  const int64_t rank = inputs[0].dim();
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (inputs.size() > 3 && inputs[3].defined()) {
    axes = IntsOf(inputs[3]);
    for (int64_t& axis : axes) axis = c10::maybe_wrap_dim(axis, rank);
  }
  const std::vector<int64_t> given = IntsOf(inputs[1]);
  TORCH_CHECK(given.size() == 2 * axes.size(), "pads has ", given.size(), " elements, ",
              2 * axes.size(), " are needed");
  for (const int64_t pad : given) {
    TORCH_CHECK(pad < (int64_t{1} << 31) && pad > -(int64_t{1} << 31), "pads has ", pad);
  }
  std::vector<int64_t> pads(static_cast<size_t>(2 * rank), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto place = static_cast<size_t>(2 * (rank - 1 - axes[i]));
    pads[place] = given[i];
    pads[place + 1] = given[i + axes.size()];
  }
  return pads;
}

// As if x went on and on along each axis; negative pads cut.
at::Tensor Wrapped(const at::Tensor& x, const std::vector<int64_t>& pads) {
  at::Tensor y = x;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    const auto place = static_cast<size_t>(2 * (x.dim() - 1 - axis));
    const int64_t size = x.size(axis);
    const int64_t length = size + pads[place] + pads[place + 1];
    if (pads[place] == 0 && pads[place + 1] == 0) continue;
    TORCH_CHECK(size > 0 && length >= 0 && length < (int64_t{1} << 31), "axis ", axis,
                " would have ", length, " elements");
    const at::Tensor places =
        at::arange(-pads[place], length - pads[place], y.options().dtype(at::kLong));
    y = at::index_select(y, axis, at::remainder(places, size));
  }
  return y;
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  std::vector<int64_t> pads = PadsOf(inputs);
  const std::string mode = node.String("mode", "constant");
  if (mode == "constant") {
    const bool given = inputs.size() > 2 && inputs[2].defined();
    return {at::constant_pad_nd(inputs[0], pads, given ? inputs[2].item() : at::Scalar(0))};
  }
  if (mode == "wrap") return {Wrapped(inputs[0], pads)};
  while (pads.size() > 2 && pads[pads.size() - 1] == 0 && pads[pads.size() - 2] == 0) {
    pads.resize(pads.size() - 2);
  }
  const at::Tensor& x = inputs[0];
  // ATen copies the border of floats only; float64 holds the integers that tensors have in
  // practice.
  const at::Tensor number = x.is_floating_point() ? x : x.to(at::kDouble);
  const at::Tensor y = at::pad(number, pads, mode == "edge" ? "replicate" : "reflect");
  return {y.to(x.scalar_type())};
}

absl::Status Validate(const Node& node) {
  return CheckOneOf(node, "mode", {"constant", "reflect", "edge", "wrap"});
}

// Up to opset 10 pads and value were attributes.
absl::Status Upgrade(Graph& graph, Node& node, int64_t opset) {
  if (opset >= 11) return absl::OkStatus();
  QUANTRY_RETURN_IF_ERROR(ListToInput(graph, node, "pads", 1));
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<float> value, TakeAttribute<float>(node, "value"));
  if (value) SetConstantInput(graph, node, 2, at::scalar_tensor(*value, at::kFloat));
  return absl::OkStatus();
}

}  // namespace

extern const OperatorDef kPadOperator = {
    .op = "Pad",
    .min_inputs = 2,
    .max_inputs = 4,
    .attributes = {{"mode", AttributeKind::kString}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
