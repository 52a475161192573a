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

Operand Binary(AtenCall& call, const char* op, size_t alpha) {
  Operand a = call.IsTensor(0) ? call.Tensor(0) : Operand{};
  Operand b = call.TensorLike(1, a);
  if (a.value == nullptr) a = call.TensorLike(0, b);
  if (alpha < call.size() && call.Number(alpha) != 1.0) {
    b = call.lowering().Emit("Mul", {b, call.TensorLike(alpha, b)});
  }
  return call.lowering().Emit(op, {a, b});
}

Operand Add(AtenCall& call) { return Binary(call, "Add", 2); }
Operand Sub(AtenCall& call) { return Binary(call, "Sub", 2); }
Operand Mul(AtenCall& call) { return Binary(call, "Mul", call.size()); }

Operand Div(AtenCall& call) {
  TORCH_CHECK(call.IsNone(2), "a rounding_mode is not supported");
  return Binary(call, "Div", call.size());
}

Operand ReverseSub(AtenCall& call) {
  const Operand x = call.Tensor(0);
  TORCH_CHECK(call.IsNone(2) || call.Number(2) == 1.0, "alpha must be 1");
  return call.lowering().Emit("Sub", {call.TensorLike(1, x), x});
}

Operand Pow(AtenCall& call) { return Binary(call, "Pow", call.size()); }

Operand Clamp(AtenCall& call) {
  const Operand x = call.Tensor(0);
  const auto bound = [&](size_t i) { return call.IsNone(i) ? Operand{} : call.TensorLike(i, x); };
  return call.lowering().Emit("Clip", {x, bound(1), bound(2)});
}

Operand ClampMin(AtenCall& call) {
  const Operand x = call.Tensor(0);
  return call.lowering().Emit("Clip", {x, call.TensorLike(1, x)});
}

// `value` in every element of argument 0.
Operand Filled(AtenCall& call, const Operand& value) {
  const Operand x = call.Tensor(0);
  return call.lowering().EmitShaped("Expand", {value, call.lowering().Emit("Shape", {x})}, x.lanes);
}

Operand Zero(AtenCall& call) {
  return Filled(
      call, call.lowering().Constant(at::scalar_tensor(0, call.Tensor(0).lanes[0].scalar_type())));
}

Operand Fill(AtenCall& call) { return Filled(call, call.TensorLike(1, call.Tensor(0))); }

// input, p, dimensions, keepdim
Operand Norm(AtenCall& call) {
  TORCH_CHECK(call.size() >= 4 && !call.IsNone(2), "a norm over all dimensions is not supported");
  TORCH_CHECK(call.Number(1) == 2.0, "only the Euclidean norm is supported");
  return call.lowering().Emit("ReduceL2", {call.Tensor(0), call.IntsConstant(call.Ints(2))},
                              {{"keepdims", int64_t{call.Bool(3)}}});
}

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

// x / 2 * (1 + erf(x / sqrt(2))).
Operand Gelu(AtenCall& call) {
  TORCH_CHECK(call.IsNone(1) || call.at(1)[0].toStringRef() == "none",
              "only the exact form is supported");
  Lowering& to = call.lowering();
  const Operand x = call.Tensor(0);
  const Operand erf = to.Emit("Erf", {to.Emit("Div", {x, call.FloatConstant(std::sqrt(2.0))})});
  const Operand half = to.Emit("Mul", {x, call.FloatConstant(0.5)});
  return to.Emit("Mul", {half, to.Emit("Add", {erf, call.FloatConstant(1.0)})});
}

constexpr AtenRow kRows[] = {
    {"aten::relu", Unary<kRelu>},
    {"aten::relu6", Relu6},
    {"aten::sigmoid", Unary<kSigmoid>},
    {"aten::hardswish", Unary<kHardSwish>},
    {"aten::hardsigmoid", HardSigmoid},
    {"aten::hardtanh", Clamp},
    {"aten::clamp", Clamp},
    {"aten::clamp_min", ClampMin},
    {"aten::fill", Fill},
    {"aten::zero", Zero},
    {"aten::norm", Norm},
    {"aten::linalg_vector_norm", Norm},
    {"aten::silu", Silu},
    {"aten::gelu", Gelu},
    {"aten::tanh", Unary<kTanh>},
    {"aten::exp", Unary<kExp>},
    {"aten::sqrt", Unary<kSqrt>},
    {"aten::neg", Unary<kNeg>},
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
