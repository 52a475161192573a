// Tensors made from sizes, and tensors repeated.
#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/onnx_dtype.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/scatter.h"

namespace quantry::engine {
namespace {

at::Tensor Filled(const Node& node, const at::Tensor& shape) {
  const auto options = shape.options();
  const auto found = node.attributes.find("value");
  if (found == node.attributes.end()) return at::zeros(IntsOf(shape), options.dtype(at::kFloat));
  const auto& value = std::get<at::Tensor>(found->second);
  return at::full(IntsOf(shape), value.item(), options.dtype(value.scalar_type()));
}

absl::Status ValidateFilled(const Node& node) {
  const auto found = node.attributes.find("value");
  if (found == node.attributes.end()) return absl::OkStatus();
  const int64_t count = std::get<at::Tensor>(found->second).numel();
  if (count == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("attribute 'value' has ", count, " elements; it must have one"));
}

at::Tensor Expanded(const at::Tensor& x, const at::Tensor& shape) {
  return x.expand(at::infer_size(x.sizes(), IntsOf(shape)));
}

at::Tensor Tiled(const at::Tensor& x, const at::Tensor& repeats) {
  const std::vector<int64_t> times = IntsOf(repeats);
  TORCH_CHECK(static_cast<int64_t>(times.size()) == x.dim(), "there are ", times.size(),
              " repeats for ", x.dim(), " axes");
  return x.repeat(times);
}

std::vector<at::Tensor> Range(const Node&, absl::Span<const at::Tensor> inputs,
                              const EvaluateContext&) {
  TORCH_CHECK(inputs[0].numel() == 1 && inputs[1].numel() == 1 && inputs[2].numel() == 1,
              "start, limit and delta must be scalars");
  const double steps =
      (inputs[1].item<double>() - inputs[0].item<double>()) / inputs[2].item<double>();
  TORCH_CHECK(std::isfinite(steps) && steps < 1e9, "delta is too small");
  const auto count = static_cast<int64_t>(std::max(0.0, std::ceil(steps)));
  const at::Tensor places = at::arange(count, inputs[0].options());
  return {at::add(at::mul(places, inputs[2].reshape({})), inputs[0].reshape({}))};
}

at::Tensor Eye(const Node& node, const at::Tensor& x) {
  TORCH_CHECK(x.dim() == 2, "the input must have 2 dimensions");
  const auto dtype = node.HasAttribute("dtype") ? DtypeOf(node.Int("dtype", 1)).value_or(at::kFloat)
                                                : x.scalar_type();
  const int64_t k = node.Int("k", 0);
  at::Tensor y = at::zeros(x.sizes(), x.options().dtype(dtype));
  if (k < x.size(1) && k > -x.size(0)) y.diagonal(k).fill_(1);
  return y;
}

std::vector<at::Tensor> OneHot(const Node& node, absl::Span<const at::Tensor> inputs,
                               const EvaluateContext&) {
  TORCH_CHECK(inputs[1].numel() == 1 && inputs[2].numel() == 2,
              "depth must be one number, values 2");
  const auto depth = inputs[1].item<double>();
  TORCH_CHECK(depth >= 1 && depth < 1e9, "depth is ", depth);
  const auto classes = static_cast<int64_t>(depth);
  const at::Tensor indices = WrappedIndices(inputs[0], inputs[0], classes);
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", -1), indices.dim() + 1);
  std::vector<int64_t> sizes(static_cast<size_t>(indices.dim() + 1), 1);
  sizes[static_cast<size_t>(axis)] = classes;
  const at::Tensor each = at::arange(classes, indices.options()).reshape(sizes);
  const at::Tensor hot = at::eq(indices.unsqueeze(axis), each);
  return {at::where(hot, inputs[2].select(0, 1), inputs[2].select(0, 0))};
}

std::vector<at::Tensor> Triangle(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor k = InputOr(inputs, 1);
  const int64_t diagonal = k.defined() ? k.item<int64_t>() : 0;
  return {node.Int("upper", 1) != 0 ? at::triu(inputs[0], diagonal)
                                    : at::tril(inputs[0], diagonal)};
}

// a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N the size if periodic, else size - 1.
struct WindowShape {
  double a0, a1, a2;
};

template <WindowShape shape>
at::Tensor Window(const Node& node, const at::Tensor& size) {
  const auto count = size.item<int64_t>();
  TORCH_CHECK(count >= 0 && count < (int64_t{1} << 30), "size is ", count);
  const bool periodic = node.Int("periodic", 1) != 0;
  const double period = std::max<double>(1.0, static_cast<double>(periodic ? count : count - 1));
  const at::Tensor angle =
      at::arange(count, size.options().dtype(at::kDouble)) * (2.0 * M_PI / period);
  const at::Tensor y = shape.a0 - shape.a1 * at::cos(angle) + shape.a2 * at::cos(angle * 2.0);
  return y.to(DtypeOf(node.Int("output_datatype", 1)).value_or(at::kFloat));
}

OperatorDef WindowOperator(absl::string_view op,
                           std::vector<at::Tensor> (*evaluate)(const Node&,
                                                               absl::Span<const at::Tensor>,
                                                               const EvaluateContext&)) {
  return {
      .op = op,
      .attributes = {{"output_datatype", AttributeKind::kInt}, {"periodic", AttributeKind::kInt}},
      .validate = [](const Node& node) { return CheckDtype(node, "output_datatype"); },
      .evaluate = evaluate};
}

}  // namespace

extern const OperatorDef kBlackmanWindowOperator =
    WindowOperator("BlackmanWindow", UnaryOf<Window<WindowShape{0.42, 0.5, 0.08}>>);
extern const OperatorDef kHammingWindowOperator = WindowOperator(
    "HammingWindow", UnaryOf<Window<WindowShape{25.0 / 46.0, 1.0 - 25.0 / 46.0, 0.0}>>);
extern const OperatorDef kHannWindowOperator =
    WindowOperator("HannWindow", UnaryOf<Window<WindowShape{0.5, 0.5, 0.0}>>);

extern const OperatorDef kConstantOfShapeOperator = {
    .op = "ConstantOfShape",
    .attributes = {{"value", AttributeKind::kTensor}},
    .input_kinds = {InputKind::kStatic},
    .validate = ValidateFilled,
    .evaluate = UnaryOf<Filled>};

extern const OperatorDef kExpandOperator = {
    .op = "Expand",
    .min_inputs = 2,
    .max_inputs = 2,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = Binary<Expanded>};

extern const OperatorDef kEyeLikeOperator = {
    .op = "EyeLike",
    .attributes = {{"dtype", AttributeKind::kInt}, {"k", AttributeKind::kInt}},
    .validate = [](const Node& node) { return CheckDtype(node, "dtype"); },
    .evaluate = UnaryOf<Eye>};

extern const OperatorDef kOneHotOperator = {
    .op = "OneHot",
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {{"axis", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckAxis(node, "axis"); },
    .evaluate = OneHot};

extern const OperatorDef kRangeOperator = {.op = "Range",
                                           .min_inputs = 3,
                                           .max_inputs = 3,
                                           .input_kinds = {InputKind::kStatic},
                                           .evaluate = Range};

extern const OperatorDef kTileOperator = {
    .op = "Tile",
    .min_inputs = 2,
    .max_inputs = 2,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = Binary<Tiled>};

extern const OperatorDef kTriluOperator = {
    .op = "Trilu",
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {{"upper", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckInt(node, "upper", 0, 1); },
    .evaluate = Triangle};

}  // namespace quantry::engine
