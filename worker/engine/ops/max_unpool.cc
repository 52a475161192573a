#include <ATen/ATen.h>

#include <algorithm>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/scatter.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

// Puts each element where MaxPool took it from; the places count through the whole tensor whose
// sizes the window gives back. A larger output_shape adds zeros behind.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  TORCH_CHECK(x.dim() >= 3 && inputs[1].sizes() == x.sizes(),
              "values and places must have the same sizes and a spatial axis");
  const Window window = WindowOf(node, node.Ints("kernel_shape"), x.sizes().slice(2));
  std::vector<int64_t> sizes = x.sizes().vec();
  int64_t elements = sizes[0] * sizes[1];
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    int64_t& size = sizes[i + 2];
    size = (size - 1) * window.strides[i] - window.begin[i] - window.end[i] + window.kernel[i];
    TORCH_CHECK(size > 0 && elements < (int64_t{1} << 31) / size,
                "the output has no possible size");
    elements *= size;
  }
  const at::Tensor places = WrappedIndices(inputs[1], x, elements).reshape({-1});
  const at::Tensor empty = at::zeros({elements}, x.options());
  const at::Tensor y = at::scatter(empty, 0, places, x.reshape({-1})).reshape(sizes);
  const at::Tensor asked = InputOr(inputs, 2);
  if (!asked.defined()) return {y};
  const std::vector<int64_t> shape = IntsOf(asked);
  TORCH_CHECK(shape.size() == sizes.size(), "output_shape must have ", sizes.size(), " elements");
  std::vector<int64_t> pads;
  for (size_t i = sizes.size(); i-- > 0;) {
    TORCH_CHECK(shape[i] >= sizes[i] && shape[i] < (int64_t{1} << 31), "output_shape ", shape,
                " does not hold ", sizes);
    pads.insert(pads.end(), {0, shape[i] - sizes[i]});
  }
  return {at::constant_pad_nd(y, pads, 0)};
}

}  // namespace

extern const OperatorDef kMaxUnpoolOperator = {
    .op = "MaxUnpool",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"kernel_shape", AttributeKind::kInts, /*required=*/true},
                   {"pads", AttributeKind::kInts},
                   {"strides", AttributeKind::kInts}},
    .input_kinds = {InputKind::kActivation, InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return ValidateWindow(node, 0); },
    .evaluate = Evaluate};

}  // namespace quantry::engine
