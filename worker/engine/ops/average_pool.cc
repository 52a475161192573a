#include <ATen/ATen.h>

#include <algorithm>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

at::Tensor Pooled(const at::Tensor& x, const Window& window, at::IntArrayRef pads, bool ceil,
                  bool count_pad) {
  switch (window.kernel.size()) {
    case 1:
      return at::avg_pool1d(x, window.kernel, window.strides, pads, ceil, count_pad);
    case 2:
      return at::avg_pool2d(x, window.kernel, window.strides, pads, ceil, count_pad);
    default:
      return at::avg_pool3d(x, window.kernel, window.strides, pads, ceil, count_pad);
  }
}

// ATen has no dilation: the sum of each window by the number of its elements that count.
at::Tensor Dilated(const at::Tensor& x, Window window, bool ceil, bool count_pad) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[0] = sizes[1] = 1;
  at::Tensor counted = at::ones(sizes, x.options());
  if (count_pad) {
    counted = PadSpatial(counted, window, 1.0);
    Window rest = window;
    rest.begin.assign(rest.begin.size(), 0);
    rest.end.assign(rest.end.size(), 0);
    if (ceil) RoundUpWindows(counted.sizes().slice(2), rest);
    if (ceil) RoundUpWindows(x.sizes().slice(2), window);
    return at::div(WindowSums(x, window), WindowSums(counted, rest));
  }
  if (ceil) RoundUpWindows(x.sizes().slice(2), window);
  return at::div(WindowSums(x, window), WindowSums(counted, window));
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  TORCH_CHECK(x.dim() >= 3 && x.dim() <= 5, "the input must have 1 to 3 spatial axes");
  const Window window = WindowOf(node, node.Ints("kernel_shape"), x.sizes().slice(2));
  const bool ceil = node.Int("ceil_mode", 0) != 0;
  const bool count_pad = node.Int("count_include_pad", 0) != 0;
  if (std::any_of(window.dilations.begin(), window.dilations.end(),
                  [](int64_t d) { return d != 1; })) {
    return {Dilated(x, window, ceil, count_pad)};
  }
  if (window.FitsPooling()) return {Pooled(x, window, window.begin, ceil, count_pad)};
  const std::vector<int64_t> none(window.kernel.size(), 0);
  const auto pool = [&](const at::Tensor& picture) {
    return Pooled(PadSpatial(picture, window, 0.0), window, none, ceil, /*count_pad=*/true);
  };
  if (count_pad) return {pool(x)};
  // The mean of ones is the share of the window that is not padding.
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[0] = sizes[1] = 1;
  return {at::div(pool(x), pool(at::ones(sizes, x.options())))};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, 0));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "ceil_mode", 0, 1));
  return CheckInt(node, "count_include_pad", 0, 1);
}

}  // namespace

extern const OperatorDef kAveragePoolOperator = {
    .op = "AveragePool",
    .attributes = {{"auto_pad", AttributeKind::kString},
                   {"ceil_mode", AttributeKind::kInt},
                   {"count_include_pad", AttributeKind::kInt},
                   {"dilations", AttributeKind::kInts},
                   {"kernel_shape", AttributeKind::kInts, /*required=*/true},
                   {"pads", AttributeKind::kInts},
                   {"strides", AttributeKind::kInts}},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
