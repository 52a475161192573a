#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <numeric>

#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// Each axis cut, or filled up with zeros, on both sides to the size asked for; of an odd difference
// the larger half goes to the end.
at::Tensor CropPad(const Node& node, const at::Tensor& x, const at::Tensor& shape) {
  const std::vector<int64_t> sizes = IntsOf(shape);
  std::vector<int64_t> axes = node.Ints("axes");
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(x.dim()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  TORCH_CHECK(sizes.size() == axes.size(), "there are ", sizes.size(), " sizes for ", axes.size(),
              " axes");
  at::Tensor y = x;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = c10::maybe_wrap_dim(axes[i], x.dim());
    const int64_t wanted = sizes[i], size = y.size(axis);
    TORCH_CHECK(wanted >= 0 && wanted < (int64_t{1} << 31), "axis ", axis, " would have ", wanted,
                " elements");
    if (wanted <= size) {
      y = y.narrow(axis, (size - wanted) / 2, wanted);
      continue;
    }
    std::vector<int64_t> pads(static_cast<size_t>(2 * (x.dim() - axis)), 0);
    pads[pads.size() - 2] = (wanted - size) / 2;
    pads[pads.size() - 1] = wanted - size - (wanted - size) / 2;
    y = at::constant_pad_nd(y, pads, 0);
  }
  return y;
}

}  // namespace

extern const OperatorDef kCenterCropPadOperator = {
    .op = "CenterCropPad",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"axes", AttributeKind::kInts}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = BinaryOf<CropPad>};

}  // namespace quantry::engine
