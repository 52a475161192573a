#include <ATen/ATen.h>

#include <cmath>

#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

template <const char* kOp>
Operand Unary(AtenCall& call) {
  return call.lowering().Emit(kOp, {call.Tensor(0)});
}

constexpr char kRelu[] = "Relu";
constexpr char kSigmoid[] = "Sigmoid";
constexpr char kHardSwish[] = "HardSwish";
constexpr char kTanh[] = "Tanh";
constexpr char kExp[] = "Exp";
constexpr char kSqrt[] = "Sqrt";
constexpr char kNeg[] = "Neg";
constexpr char kAbs[] = "Abs";
constexpr char kCeil[] = "Ceil";
constexpr char kCos[] = "Cos";
constexpr char kErf[] = "Erf";
constexpr char kFloor[] = "Floor";
constexpr char kLog[] = "Log";
constexpr char kMish[] = "Mish";
constexpr char kReciprocal[] = "Reciprocal";
constexpr char kRound[] = "Round";
constexpr char kSign[] = "Sign";
constexpr char kSin[] = "Sin";

// `type`: of the arguments and the result.
Operand Binary(AtenCall& call, const char* op, at::ScalarType type) {
  return call.lowering().Emit(op, {call.As(0, type), call.As(1, type)});
}

// Arguments `first` and `second`, of which the second is multiplied with argument 2.
Operand Scaled(AtenCall& call, const char* op, size_t first, size_t second) {
  const at::ScalarType type = call.CommonType(0, 1);
  Operand scaled = call.As(second, type);
  if (!call.IsNone(2) && call.Number(2) != 1.0) {
    scaled = call.lowering().Emit("Mul", {scaled, call.As(2, type)});
  }
  return call.lowering().Emit(op, {call.As(first, type), scaled});
}

Operand Add(AtenCall& call) { return Scaled(call, "Add", 0, 1); }
Operand Sub(AtenCall& call) { return Scaled(call, "Sub", 0, 1); }
Operand ReverseSub(AtenCall& call) { return Scaled(call, "Sub", 1, 0); }
Operand Mul(AtenCall& call) { return Binary(call, "Mul", call.CommonType(0, 1)); }
Operand Pow(AtenCall& call) { return Binary(call, "Pow", call.CommonType(0, 1)); }

// Of integers, too, in floating point.
Operand Div(AtenCall& call) {
  TORCH_CHECK(call.IsNone(2), "a rounding_mode is not supported");
  const at::ScalarType type = call.CommonType(0, 1);
  return Binary(call, "Div", at::isFloatingType(type) ? type : at::kFloat);
}

Operand InverseSqrt(AtenCall& call) {
  return call.lowering().Emit("Reciprocal", {call.lowering().Emit("Sqrt", {call.Tensor(0)})});
}

Operand Square(AtenCall& call) {
  const Operand x = call.Tensor(0);
  return call.lowering().Emit("Mul", {x, x});
}

Operand LeakyRelu(AtenCall& call) {
  return call.lowering().Emit("LeakyRelu", {call.Tensor(0)},
                              {{"alpha", static_cast<float>(call.Number(1))}});
}

// input, alpha, scale, input_scale
Operand Elu(AtenCall& call) {
  TORCH_CHECK(
      (call.IsNone(2) || call.Number(2) == 1.0) && (call.IsNone(3) || call.Number(3) == 1.0),
      "only scales of 1 are supported");
  return call.lowering().Emit("Elu", {call.Tensor(0)},
                              {{"alpha", static_cast<float>(call.Number(1))}});
}

// input, beta, threshold; torch is linear above the threshold, where the curve is so in float32.
Operand Softplus(AtenCall& call) {
  TORCH_CHECK(call.Number(1) == 1.0, "only beta = 1 is supported");
  return call.lowering().Emit("Softplus", {call.Tensor(0)});
}

// input, weight of each channel or of all
Operand PRelu(AtenCall& call) {
  const Operand x = call.Tensor(0);
  Operand slope = call.Tensor(1);
  if (x.rank() > 2 && slope.lanes[0].numel() > 1) {
    std::vector<int64_t> sizes(static_cast<size_t>(x.rank() - 1), 1);
    sizes[0] = slope.lanes[0].numel();
    slope = call.lowering().Emit("Reshape", {slope, call.IntsConstant(sizes)});
  }
  return call.lowering().Emit("PRelu", {x, slope});
}

// input, dtype, ...; input, device, dtype, ...; input, other, ...
Operand To(AtenCall& call) {
  const Operand x = call.Tensor(0);
  if (call.IsTensor(1)) return EmitCast(call.lowering(), x, call.Tensor(1).dtype());
  const size_t dtype = call.at(1)[0].isDevice() ? 2 : 1;
  const bool given = !call.IsNone(dtype) && call.at(dtype)[0].isInt();
  if (!given) return x;
  return EmitCast(call.lowering(), x, static_cast<at::ScalarType>(call.Int(dtype)));
}

Operand Clamp(AtenCall& call) {
  at::ScalarType type = call.Tensor(0).dtype();
  for (const size_t i : {1, 2}) {
    if (!call.IsNone(i)) type = at::promote_types(type, call.CommonType(0, i));
  }
  const auto bound = [&](size_t i) { return call.IsNone(i) ? Operand{} : call.As(i, type); };
  return call.lowering().Emit("Clip", {call.As(0, type), bound(1), bound(2)});
}

// `value` in every element of argument 0.
Operand Filled(AtenCall& call, const Operand& value) {
  const Operand x = call.Tensor(0);
  return call.lowering().EmitShaped("Expand", {value, call.lowering().Emit("Shape", {x})}, x.lanes);
}

Operand Zero(AtenCall& call) {
  return Filled(call, call.lowering().Constant(at::scalar_tensor(0, call.Tensor(0).dtype())));
}

Operand Fill(AtenCall& call) { return Filled(call, call.As(1, call.Tensor(0).dtype())); }

Operand Relu6(AtenCall& call) {
  return call.lowering().Emit("Clip",
                              {call.Tensor(0), call.FloatConstant(0), call.FloatConstant(6)});
}

Operand HardSigmoid(AtenCall& call) {
  return call.lowering().Emit("HardSigmoid", {call.Tensor(0)},
                              {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}});
}

Operand Silu(AtenCall& call) {
  const Operand x = call.Tensor(0);
  return call.lowering().Emit("Mul", {x, call.lowering().Emit("Sigmoid", {x})});
}

// x * (erf(x / sqrt(2)) + 1) * 0.5, as torch.onnx writes it.
Operand Gelu(AtenCall& call) {
  TORCH_CHECK(call.IsNone(1) || call.at(1)[0].toStringRef() == "none",
              "only the exact form is supported");
  Lowering& to = call.lowering();
  const Operand x = call.Tensor(0);
  const Operand erf = to.Emit("Erf", {to.Emit("Div", {x, call.FloatConstant(std::sqrt(2.0))})});
  const Operand twice = to.Emit("Mul", {x, to.Emit("Add", {erf, call.FloatConstant(1.0)})});
  return to.Emit("Mul", {twice, call.FloatConstant(0.5)});
}

constexpr AtenRow kRows[] = {
    {"aten::relu", Unary<kRelu>},
    {"aten::relu6", Relu6},
    {"aten::sigmoid", Unary<kSigmoid>},
    {"aten::hardswish", Unary<kHardSwish>},
    {"aten::hardsigmoid", HardSigmoid},
    {"aten::hardtanh", Clamp},
    {"aten::clamp", Clamp},
    {"aten::clamp_min", Clamp},
    {"aten::fill", Fill},
    {"aten::zero", Zero},
    {"aten::silu", Silu},
    {"aten::gelu", Gelu},
    {"aten::tanh", Unary<kTanh>},
    {"aten::exp", Unary<kExp>},
    {"aten::sqrt", Unary<kSqrt>},
    {"aten::neg", Unary<kNeg>},
    {"aten::abs", Unary<kAbs>},
    {"aten::ceil", Unary<kCeil>},
    {"aten::cos", Unary<kCos>},
    {"aten::erf", Unary<kErf>},
    {"aten::floor", Unary<kFloor>},
    {"aten::log", Unary<kLog>},
    {"aten::mish", Unary<kMish>},
    {"aten::reciprocal", Unary<kReciprocal>},
    {"aten::round", Unary<kRound>},
    {"aten::rsqrt", InverseSqrt},
    {"aten::sign", Unary<kSign>},
    {"aten::sin", Unary<kSin>},
    {"aten::square", Square},
    {"aten::leaky_relu", LeakyRelu},
    {"aten::elu", Elu},
    {"aten::prelu", PRelu},
    {"aten::softplus", Softplus},
    {"aten::to", To},
    {"aten::type_as", To},
    {"aten::add", Add},
    {"aten::sub", Sub},
    {"aten::rsub", ReverseSub},
    {"aten::mul", Mul},
    {"aten::div", Div},
    {"aten::pow", Pow},
};

}  // namespace

absl::Span<const AtenRow> PointwiseRows() { return kRows; }

}  // namespace quantry::engine
