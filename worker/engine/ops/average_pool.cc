#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  TORCH_CHECK(x.dim() == 4, "only pictures [N, C, H, W] are supported");
  const Window window = WindowOf(node, node.Ints("kernel_shape"), x.sizes().slice(2));
  const bool ceil = node.Int("ceil_mode", 0) != 0;
  const bool count_pad = node.Int("count_include_pad", 0) != 0;
  if (window.FitsPooling()) {
    return {at::avg_pool2d(x, window.kernel, window.strides, window.begin, ceil, count_pad)};
  }
  const auto pool = [&](const at::Tensor& picture) {
    return at::avg_pool2d(PadSpatial(picture, window, 0.0), window.kernel, window.strides, {0, 0},
                          ceil);
  };
  if (count_pad) return {pool(x)};
  // The mean of ones is the share of the window that is not padding.
  return {at::div(pool(x), pool(at::ones({1, 1, x.size(2), x.size(3)}, x.options())))};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, 2));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "ceil_mode", 0, 1));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "count_include_pad", 0, 1));
  if (node.Ints("dilations", {1, 1}) == std::vector<int64_t>{1, 1}) return absl::OkStatus();
  return absl::InvalidArgumentError("attribute 'dilations' must be [1, 1]");
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
