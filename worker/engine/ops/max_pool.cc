#include <ATen/ATen.h>

#include <limits>

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
  if (window.FitsPooling()) {
    return {at::max_pool2d(x, window.kernel, window.strides, window.begin, window.dilations, ceil)};
  }
  const at::Tensor padded = PadSpatial(x, window, -std::numeric_limits<double>::infinity());
  return {at::max_pool2d(padded, window.kernel, window.strides, {0, 0}, window.dilations, ceil)};
}

// storage_order says how indices are counted, which nobody can ask for here.
absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, 2));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "ceil_mode", 0, 1));
  return CheckInt(node, "storage_order", 0, 1);
}

}  // namespace

extern const OperatorDef kMaxPoolOperator = {
    .op = "MaxPool",
    .attributes = {{"auto_pad", AttributeKind::kString},
                   {"ceil_mode", AttributeKind::kInt},
                   {"dilations", AttributeKind::kInts},
                   {"kernel_shape", AttributeKind::kInts, /*required=*/true},
                   {"pads", AttributeKind::kInts},
                   {"storage_order", AttributeKind::kInt},
                   {"strides", AttributeKind::kInts}},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
