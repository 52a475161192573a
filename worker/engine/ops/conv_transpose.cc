#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/convolution.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

// The padding that gives the output the sizes that `output_shape`, or auto_pad SAME_*, asks for;
// the odd element goes to the end with SAME_UPPER, else to the beginning. `full`: sizes without
// padding.
void FitPadding(const Node& node, at::IntArrayRef sizes, at::IntArrayRef full, Window& window) {
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && !node.HasAttribute("output_shape")) return;
  std::vector<int64_t> wanted = node.Ints("output_shape");
  for (size_t i = 0; wanted.size() < sizes.size() && i < sizes.size(); ++i) {
    wanted.push_back(sizes[i] * window.strides[i]);
  }
  TORCH_CHECK(wanted.size() == full.size(), "output_shape must have ", full.size(), " elements");
  for (size_t i = 0; i < full.size(); ++i) {
    const int64_t total = full[i] - wanted[i];
    if (total < 0) {  // more than there is: what is missing is added behind, like output_padding
      window.begin[i] = 0;
      window.end[i] = total;
      continue;
    }
    const int64_t half = total / 2;
    window.begin[i] = auto_pad == "SAME_UPPER" ? half : total - half;
    window.end[i] = total - window.begin[i];
  }
}

// The convolution without its bias, cut and continued with zeros as the window says, plus the bias.
at::Tensor Enlarged(const at::Tensor& convolved, const Window& window, const at::Tensor& bias) {
  std::vector<int64_t> pads;  // ATen's order: last axis first
  for (size_t i = window.begin.size(); i-- > 0;) {
    const int64_t length =
        convolved.size(static_cast<int64_t>(i) + 2) - window.begin[i] - window.end[i];
    TORCH_CHECK(length > 0 && length < (int64_t{1} << 31), "output_shape is not possible");
    pads.insert(pads.end(), {-window.begin[i], -window.end[i]});
  }
  const at::Tensor y = at::constant_pad_nd(convolved, pads, 0);
  if (!bias.defined()) return y;
  std::vector<int64_t> sizes(static_cast<size_t>(y.dim()), 1);
  sizes[1] = -1;
  return at::add(y, bias.reshape(sizes));
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& weight = inputs[1];
  CheckKernel(inputs[0], weight);
  Window window = WindowOf(node, weight.sizes().slice(2), inputs[0].sizes().slice(2));
  const std::vector<int64_t> none(window.kernel.size(), 0);
  std::vector<int64_t> added = node.Ints("output_padding", none);
  TORCH_CHECK(added.size() == none.size(), "output_padding must have ", none.size(), " elements");
  const at::Tensor bias = InputOr(inputs, 2);
  const auto convolve = [&](const at::Tensor& offset) {
    return at::convolution(inputs[0], weight, offset, window.strides, none, window.dilations,
                           /*transposed=*/true, added, node.Int("group", 1));
  };
  at::Tensor y = convolve(bias);
  FitPadding(node, inputs[0].sizes().slice(2), y.sizes().slice(2), window);
  if (std::any_of(window.end.begin(), window.end.end(), [](int64_t end) { return end < 0; })) {
    return {Enlarged(convolve({}), window, bias)};
  }
  for (size_t i = 0; i < none.size(); ++i) {
    const int64_t axis = static_cast<int64_t>(i) + 2;
    const int64_t length = y.size(axis) - window.begin[i] - window.end[i];
    TORCH_CHECK(length > 0, "the padding leaves nothing of axis ", axis);
    y = y.narrow(axis, window.begin[i], length);
  }
  return {y};
}

std::string LayerType(const Node& node) {
  const int64_t rank = SpatialRank(node);
  return rank == 0 ? "" : absl::StrCat("Conv", rank, "DTranspose");
}

// The weight is [in, out / group, ...]: an index of axis 1 is the output channel of that place in
// each group, so the groups share scales. That is what DequantizeLinear can say with one axis.
int64_t WeightAxis(const Node&) { return 1; }

}  // namespace

extern const OperatorDef kConvTransposeOperator = {
    .op = "ConvTranspose",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"auto_pad", AttributeKind::kString},
                   {"dilations", AttributeKind::kInts},
                   {"group", AttributeKind::kInt},
                   {"kernel_shape", AttributeKind::kInts},
                   {"output_padding", AttributeKind::kInts},
                   {"output_shape", AttributeKind::kInts},
                   {"pads", AttributeKind::kInts},
                   {"strides", AttributeKind::kInts}},
    .input_kinds = {InputKind::kActivation, InputKind::kWeight, InputKind::kBias},
    // LibTorch 1.13 gives wrong gradients of transposed convolutions in bfloat16.
    .precision_use = PrecisionUse::kFloat64,
    .layer_type = LayerType,
    .weight_axis = WeightAxis,
    .validate = ValidateConvolution,
    .evaluate = Evaluate};

}  // namespace quantry::engine
