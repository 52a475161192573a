#include <ATen/ATen.h>

#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

struct ConvArguments {
  std::vector<int64_t> strides, padding, dilations, output_padding;
  int64_t groups = 1;
  bool transposed = false;
};

Operand EmitConv(AtenCall& call, const ConvArguments& given) {
  const Operand weight = call.Tensor(1);
  AttributeMap attributes = {{"strides", given.strides},
                             {"pads", TwoSided(given.padding)},
                             {"dilations", given.dilations},
                             {"group", given.groups},
                             {"kernel_shape", weight.lanes[0].sizes().slice(2).vec()}};
  if (given.transposed) attributes["output_padding"] = given.output_padding;
  return call.lowering().Emit(given.transposed ? "ConvTranspose" : "Conv",
                              {call.Tensor(0), weight, call.Tensor(2)}, attributes);
}

size_t SpatialRank(AtenCall& call) {
  const int64_t rank = call.Tensor(1).rank();
  TORCH_CHECK(rank >= 3 && call.Tensor(0).rank() == rank, "input and weight must have a batch");
  return static_cast<size_t>(rank - 2);
}

// input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, ...
Operand Convolution(AtenCall& call) {
  const size_t n = SpatialRank(call);
  return EmitConv(call, {.strides = call.Ints(3, n),
                         .padding = call.Ints(4, n),
                         .dilations = call.Ints(5, n),
                         .output_padding = call.Ints(7, n),
                         .groups = call.Int(8),
                         .transposed = call.Bool(6)});
}

// input, weight, bias, stride, padding, dilation, groups
Operand Conv(AtenCall& call) {
  const size_t n = SpatialRank(call);
  std::vector<int64_t> dilations = call.Ints(5, n);
  std::vector<int64_t> padding(n, 0);
  if (!call.at(4)[0].isString()) {
    padding = call.Ints(4, n);
  } else if (call.at(4)[0].toStringRef() == "same") {
    const auto kernel = call.Tensor(1).lanes[0].sizes().slice(2);
    for (size_t i = 0; i < n; ++i) {
      const int64_t total = dilations[i] * (kernel[i] - 1);
      TORCH_CHECK(total % 2 == 0, "padding 'same' with an even kernel is not supported");
      padding[i] = total / 2;
    }
  }
  return EmitConv(call, {.strides = call.Ints(3, n),
                         .padding = padding,
                         .dilations = dilations,
                         .groups = call.Int(6)});
}

// input, weight, bias, stride, padding, output_padding, groups, dilation
Operand ConvTranspose(AtenCall& call) {
  const size_t n = SpatialRank(call);
  return EmitConv(call, {.strides = call.Ints(3, n),
                         .padding = call.Ints(4, n),
                         .dilations = call.Ints(7, n),
                         .output_padding = call.Ints(5, n),
                         .groups = call.Int(6),
                         .transposed = true});
}

// input, weight, bias, mean, variance, training, momentum, eps, cudnn
Operand BatchNorm(AtenCall& call) {
  TORCH_CHECK(!call.IsNone(3) && !call.IsNone(4), "a batch norm without running statistics");
  const Operand mean = call.Tensor(3);
  const auto filled = [&](size_t i, double value) {
    return call.IsNone(i) ? call.lowering().Constant(at::full_like(mean.lanes[0], value))
                          : call.Tensor(i);
  };
  TORCH_CHECK(!call.IsNone(6), "a batch norm with a cumulative average (momentum None)");
  return call.lowering().Emit(
      "BatchNormalization", {call.Tensor(0), filled(1, 1.0), filled(2, 0.0), mean, call.Tensor(4)},
      {{"momentum", static_cast<float>(1.0 - call.Number(6))},
       {"epsilon", static_cast<float>(call.Number(7))}});
}

Operand Linear(AtenCall& call) {
  return EmitLinear(call, call.Tensor(0), call.Tensor(1), call.Tensor(2));
}

// bias, input, weight, beta, alpha
Operand AddMm(AtenCall& call) {
  return call.lowering().Emit("Gemm", {call.Tensor(1), call.Tensor(2), call.Tensor(0)},
                              {{"beta", static_cast<float>(call.Number(3))},
                               {"alpha", static_cast<float>(call.Number(4))}});
}

Operand MatMul(AtenCall& call) {
  return call.lowering().Emit("MatMul", {call.Tensor(0), call.Tensor(1)});
}

Operand Dropout(AtenCall& call) {
  return call.lowering().Emit("Dropout", {call.Tensor(0), call.FloatConstant(call.Number(1))});
}

// input, dim, dtype
Operand NormalAlong(AtenCall& call, const char* op) {
  Operand x = call.Tensor(0);
  if (!call.IsNone(2)) x = EmitCast(call.lowering(), x, static_cast<at::ScalarType>(call.Int(2)));
  return call.lowering().Emit(op, {x}, {{"axis", call.Int(1)}});
}

Operand Softmax(AtenCall& call) { return NormalAlong(call, "Softmax"); }
Operand LogSoftmax(AtenCall& call) { return NormalAlong(call, "LogSoftmax"); }

// input, normalized_shape, weight, bias, eps, cudnn
Operand LayerNorm(AtenCall& call) {
  const auto count = static_cast<int64_t>(call.Ints(1).size());
  const Operand weight = call.IsNone(2)
                             ? call.lowering().Constant(at::ones(call.Ints(1), at::kFloat))
                             : call.Tensor(2);
  return call.lowering().Emit("LayerNormalization", {call.Tensor(0), weight, call.Tensor(3)},
                              {{"axis", -count}, {"epsilon", static_cast<float>(call.Number(4))}});
}

constexpr AtenRow kRows[] = {
    {"aten::_convolution", Convolution},
    {"aten::convolution", Convolution},
    {"aten::conv1d", Conv},
    {"aten::conv2d", Conv},
    {"aten::conv3d", Conv},
    {"aten::conv_transpose1d", ConvTranspose},
    {"aten::conv_transpose2d", ConvTranspose},
    {"aten::conv_transpose3d", ConvTranspose},
    {"aten::batch_norm", BatchNorm},
    {"aten::linear", Linear},
    {"aten::addmm", AddMm},
    {"aten::matmul", MatMul},
    {"aten::bmm", MatMul},
    {"aten::mm", MatMul},
    {"aten::dropout", Dropout},
    {"aten::feature_dropout", Dropout},
    {"aten::softmax", Softmax},
    {"aten::log_softmax", LogSoftmax},
    {"aten::layer_norm", LayerNorm},
};

}  // namespace

Operand EmitLinear(AtenCall& call, const Operand& x, const Operand& weight, const Operand& bias) {
  if (x.rank() == 2) {
    return call.lowering().Emit("Gemm", {x, weight, bias}, {{"transB", int64_t{1}}});
  }
  const Operand transposed =
      call.lowering().Emit("Transpose", {weight}, {{"perm", std::vector<int64_t>{1, 0}}});
  const Operand product = call.lowering().Emit("MatMul", {x, transposed});
  return bias.value == nullptr ? product : call.lowering().Emit("Add", {product, bias});
}

absl::Span<const AtenRow> LayerRows() { return kRows; }

}  // namespace quantry::engine
