#include <ATen/ATen.h>

#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// The grid for GridSample of the transforms theta [N, 2, 3] or [N, 3, 4] and pictures of `size`.
at::Tensor Grid(const Node& node, const at::Tensor& theta, const at::Tensor& size) {
  const std::vector<int64_t> sizes = IntsOf(size);
  TORCH_CHECK(sizes.size() == 4 || sizes.size() == 5, "size must have 4 or 5 elements");
  int64_t elements = 1;
  for (const int64_t one : sizes) {
    TORCH_CHECK(one > 0 && one < (int64_t{1} << 31) / elements, "size is ", sizes);
    elements *= one;
  }
  return at::affine_grid_generator(theta, sizes, node.Int("align_corners", 0) != 0);
}

}  // namespace

extern const OperatorDef kAffineGridOperator = {
    .op = "AffineGrid",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"align_corners", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckInt(node, "align_corners", 0, 1); },
    .evaluate = BinaryOf<Grid>};

}  // namespace quantry::engine
