// Layers on integers, as files quantized elsewhere have them. They are computed in float64, which
// is exact for sums below 2^53, and have no gradient.
#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/ops/along_axis.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

// x - zero_point in float64; a list of zero points runs along `axis`.
at::Tensor Centred(const at::Tensor& x, const at::Tensor& zero_point, int64_t axis) {
  const at::Tensor wide = x.to(at::kDouble);
  if (!zero_point.defined()) return wide;
  return at::sub(wide, AlongAxis(zero_point.to(at::kDouble), x, axis));
}

at::Tensor Dequantized(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point,
                       int64_t axis) {
  return at::mul(Centred(x, zero_point, axis), AlongAxis(scale.to(at::kDouble), x, axis));
}

at::Tensor Requantized(const at::Tensor& y, const at::Tensor& scale, const at::Tensor& zero_point) {
  const bool is_signed = zero_point.scalar_type() == at::kChar;
  const at::Tensor q =
      at::add(at::round(at::div(y, scale.to(at::kDouble))), zero_point.to(at::kDouble));
  return at::clamp(q, is_signed ? -128 : 0, is_signed ? 127 : 255).to(zero_point.scalar_type());
}

at::Tensor Convolved(const Node& node, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) {
  TORCH_CHECK(weight.dim() >= 3 && x.dim() == weight.dim(),
              "input and weight must have the same rank of at least 3");
  const Window window = WindowOf(node, weight.sizes().slice(2), x.sizes().slice(2));
  const std::vector<int64_t> none(window.kernel.size(), 0);
  return at::convolution(PadSpatial(x, window, 0.0), weight, bias, window.strides, none,
                         window.dilations, /*transposed=*/false, none, node.Int("group", 1));
}

std::vector<at::Tensor> ConvInteger(const Node& node, absl::Span<const at::Tensor> inputs,
                                    const EvaluateContext&) {
  const at::Tensor x = Centred(inputs[0], InputOr(inputs, 2), 1);
  const at::Tensor weight = Centred(inputs[1], InputOr(inputs, 3), 0);
  return {Convolved(node, x, weight, {}).to(at::kInt)};
}

std::vector<at::Tensor> MatMulInteger(const Node&, absl::Span<const at::Tensor> inputs,
                                      const EvaluateContext&) {
  const at::Tensor a = Centred(inputs[0], InputOr(inputs, 2), -2);
  const at::Tensor b = Centred(inputs[1], InputOr(inputs, 3), -1);
  return {at::matmul(a, b).to(at::kInt)};
}

// Inputs: x, its scale and zero point, weight, its scale and zero point, those of y, bias (int32 of
// scale x_scale * w_scale).
std::vector<at::Tensor> QLinearConv(const Node& node, absl::Span<const at::Tensor> inputs,
                                    const EvaluateContext&) {
  const at::Tensor x = Dequantized(inputs[0], inputs[1], inputs[2], 1);
  const at::Tensor weight = Dequantized(inputs[3], inputs[4], inputs[5], 0);
  at::Tensor bias = InputOr(inputs, 8);
  if (bias.defined()) {
    bias = at::mul(bias.to(at::kDouble), at::mul(inputs[1], inputs[4]).to(at::kDouble));
  }
  return {Requantized(Convolved(node, x, weight, bias), inputs[6], inputs[7])};
}

std::vector<at::Tensor> QLinearMatMul(const Node&, absl::Span<const at::Tensor> inputs,
                                      const EvaluateContext&) {
  const at::Tensor a = Dequantized(inputs[0], inputs[1], inputs[2], -2);
  const at::Tensor b = Dequantized(inputs[3], inputs[4], inputs[5], -1);
  return {Requantized(at::matmul(a, b), inputs[6], inputs[7])};
}

// To uint8 of the range that x has, which is made to hold 0.
std::vector<at::Tensor> DynamicQuantize(const Node& node, absl::Span<const at::Tensor> inputs,
                                        const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const at::Tensor least = at::clamp_max(x.min(), 0);
  const at::Tensor most = at::clamp_min(x.max(), 0);
  const at::Tensor scale = at::div(at::sub(most, least), 255);
  const at::Tensor zero = at::clamp(at::round(at::div(at::neg(least), scale)), 0, 255);
  const at::Tensor y = at::clamp(at::add(at::round(at::div(x, scale)), zero), 0, 255);
  return FirstOutputs(node, {y.to(at::kByte), scale, zero.to(at::kByte)});
}

absl::Status ValidateConv(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, 0));
  return CheckInt(node, "group", 1, 1 << 20);
}

std::vector<AttributeDef> ConvAttributes() {
  return {{"auto_pad", AttributeKind::kString}, {"dilations", AttributeKind::kInts},
          {"group", AttributeKind::kInt},       {"kernel_shape", AttributeKind::kInts},
          {"pads", AttributeKind::kInts},       {"strides", AttributeKind::kInts}};
}

}  // namespace

extern const OperatorDef kConvIntegerOperator = {
    .op = "ConvInteger",
    .min_inputs = 2,
    .max_inputs = 4,
    .attributes = ConvAttributes(),
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = ValidateConv,
    .evaluate = ConvInteger};

extern const OperatorDef kDynamicQuantizeLinearOperator = {
    .op = "DynamicQuantizeLinear", .max_outputs = 3, .evaluate = DynamicQuantize};

extern const OperatorDef kMatMulIntegerOperator = {
    .op = "MatMulInteger",
    .min_inputs = 2,
    .max_inputs = 4,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = MatMulInteger};

extern const OperatorDef kQLinearConvOperator = {
    .op = "QLinearConv",
    .min_inputs = 8,
    .max_inputs = 9,
    .attributes = ConvAttributes(),
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = ValidateConv,
    .evaluate = QLinearConv};

extern const OperatorDef kQLinearMatMulOperator = {
    .op = "QLinearMatMul",
    .min_inputs = 8,
    .max_inputs = 8,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = QLinearMatMul};

}  // namespace quantry::engine
