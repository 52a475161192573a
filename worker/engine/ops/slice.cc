#include <ATen/ATen.h>

#include <c10/core/WrapDimMinimal.h>
#include <algorithm>
#include <numeric>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

// x[start:end:step] along each axis, with bounds cut to the axis. A step below 0 walks backwards.
at::Tensor SliceAxis(const at::Tensor& x, int64_t axis, int64_t start, int64_t end, int64_t step) {
  TORCH_CHECK(step != 0, "a step is 0");
  const int64_t size = x.size(axis);
  // -2^63 can't be negated, and nothing is that large.
  const auto bound = [size](int64_t value, int64_t least, int64_t most) {
    return std::clamp<int64_t>(value < 0 ? value + size : value, least, most);
  };
  if (step > 0) {
    const int64_t first = bound(start, 0, size);
    const int64_t last = std::max(first, bound(end, 0, size));
    return x.slice(axis, first, last, std::min(step, std::max<int64_t>(size, 1)));
  }
  const int64_t first = bound(start, -1, size - 1);
  const int64_t last = std::min(first, bound(end, -1, size - 1));
  // The mirrored axis, walked forwards.
  const int64_t stride = std::min(-std::max(step, -size - 1), std::max<int64_t>(size, 1));
  return x.flip(axis).slice(axis, size - 1 - first, size - 1 - last, stride);
}

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  at::Tensor x = inputs[0];
  const std::vector<int64_t> starts = IntsOf(inputs[1]);
  const std::vector<int64_t> ends = IntsOf(inputs[2]);
  std::vector<int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (inputs.size() > 3 && inputs[3].defined()) axes = IntsOf(inputs[3]);
  std::vector<int64_t> steps(starts.size(), 1);
  if (inputs.size() > 4 && inputs[4].defined()) steps = IntsOf(inputs[4]);
  TORCH_CHECK(
      ends.size() == starts.size() && axes.size() == starts.size() && steps.size() == starts.size(),
      "starts, ends, axes and steps must have the same length");
  for (size_t i = 0; i < starts.size(); ++i) {
    x = SliceAxis(x, c10::maybe_wrap_dim(axes[i], x.dim()), starts[i], ends[i], steps[i]);
  }
  return {x};
}

// Up to opset 9 starts, ends and axes were attributes.
absl::Status Upgrade(Graph& graph, Node& node, int64_t opset) {
  if (opset >= 10) return absl::OkStatus();
  QUANTRY_RETURN_IF_ERROR(ListToInput(graph, node, "starts", 1));
  QUANTRY_RETURN_IF_ERROR(ListToInput(graph, node, "ends", 2));
  return ListToInput(graph, node, "axes", 3);
}

}  // namespace

extern const OperatorDef kSliceOperator = {
    .op = "Slice",
    .min_inputs = 3,
    .max_inputs = 5,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
