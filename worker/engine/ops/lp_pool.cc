// Pooling by the p-norm.
#include <ATen/ATen.h>

#include <numeric>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

// (sum of |x|^p over the window)^(1/p).
at::Tensor LpPool(const Node& node, const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 3 && x.dim() <= 5, "the input must have 1 to 3 spatial axes");
  const auto p = static_cast<double>(node.Int("p", 2));
  const at::IntArrayRef sizes = x.sizes().slice(2);
  Window window = WindowOf(node, node.Ints("kernel_shape"), sizes);
  if (node.Int("ceil_mode", 0) != 0) RoundUpWindows(sizes, window);
  return at::pow(WindowSums(at::pow(at::abs(x), p), window), 1.0 / p);
}

at::Tensor GlobalLpPool(const Node& node, const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 3, "the input must have a spatial axis");
  std::vector<int64_t> axes(static_cast<size_t>(x.dim() - 2));
  std::iota(axes.begin(), axes.end(), 2);
  return at::linalg_vector_norm(x, node.Int("p", 2), axes, /*keepdim=*/true);
}

absl::Status CheckPower(const Node& node) {
  return node.HasAttribute("p") ? CheckInt(node, "p", 1, 64) : absl::OkStatus();
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, 0));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "ceil_mode", 0, 1));
  return CheckPower(node);
}

}  // namespace

extern const OperatorDef kGlobalLpPoolOperator = {.op = "GlobalLpPool",
                                                  .attributes = {{"p", AttributeKind::kInt}},
                                                  .validate = CheckPower,
                                                  .evaluate = UnaryOf<GlobalLpPool>};

extern const OperatorDef kLpPoolOperator = {
    .op = "LpPool",
    .attributes = {{"auto_pad", AttributeKind::kString},
                   {"ceil_mode", AttributeKind::kInt},
                   {"dilations", AttributeKind::kInts},
                   {"kernel_shape", AttributeKind::kInts, /*required=*/true},
                   {"p", AttributeKind::kInt},
                   {"pads", AttributeKind::kInts},
                   {"strides", AttributeKind::kInts}},
    .validate = Validate,
    .evaluate = UnaryOf<LpPool>};

}  // namespace quantry::engine
