#include <ATen/ATen.h>

#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

constexpr char kEqual[] = "Equal";
constexpr char kLess[] = "Less";
constexpr char kLessOrEqual[] = "LessOrEqual";
constexpr char kGreater[] = "Greater";
constexpr char kGreaterOrEqual[] = "GreaterOrEqual";
constexpr char kAnd[] = "And";
constexpr char kOr[] = "Or";
constexpr char kXor[] = "Xor";
constexpr char kMax[] = "Max";
constexpr char kMin[] = "Min";

// input, other: a tensor or a number
template <const char* kOp>
Operand Pairwise(AtenCall& call) {
  const at::ScalarType dtype = call.CommonType(0, 1);
  return call.lowering().Emit(kOp, {call.As(0, dtype), call.As(1, dtype)});
}

Operand NotEqual(AtenCall& call) { return call.lowering().Emit("Not", {Pairwise<kEqual>(call)}); }

void RequireBool(const Operand& x) {
  TORCH_CHECK(x.lanes[0].scalar_type() == at::kBool, "is supported only for tensors of bool");
}

template <const char* kOp>
Operand Logical(AtenCall& call) {
  RequireBool(call.Tensor(0));
  RequireBool(call.Tensor(1));
  return Pairwise<kOp>(call);
}

Operand Not(AtenCall& call) {
  const Operand x = call.Tensor(0);
  RequireBool(x);
  return call.lowering().Emit("Not", {x});
}

// condition, a, b
Operand Where(AtenCall& call) {
  const Operand condition = call.Tensor(0);
  RequireBool(condition);
  const at::ScalarType dtype = call.CommonType(1, 2);
  return call.lowering().Emit("Where", {condition, call.As(1, dtype), call.As(2, dtype)});
}

// input, mask, value
Operand MaskedFill(AtenCall& call) {
  const Operand x = call.Tensor(0);
  const Operand mask = call.Tensor(1);
  RequireBool(mask);
  return call.lowering().Emit("Where", {mask, call.As(2, x.dtype()), x});
}

constexpr AtenRow kRows[] = {
    {"aten::eq", Pairwise<kEqual>},
    {"aten::ne", NotEqual},
    {"aten::lt", Pairwise<kLess>},
    {"aten::le", Pairwise<kLessOrEqual>},
    {"aten::gt", Pairwise<kGreater>},
    {"aten::ge", Pairwise<kGreaterOrEqual>},
    {"aten::maximum", Pairwise<kMax>},
    {"aten::minimum", Pairwise<kMin>},
    {"aten::logical_and", Logical<kAnd>},
    {"aten::logical_or", Logical<kOr>},
    {"aten::logical_xor", Logical<kXor>},
    {"aten::logical_not", Not},
    {"aten::__and__", Logical<kAnd>},
    {"aten::__or__", Logical<kOr>},
    {"aten::__xor__", Logical<kXor>},
    {"aten::bitwise_and", Logical<kAnd>},
    {"aten::bitwise_or", Logical<kOr>},
    {"aten::bitwise_not", Not},
    {"aten::where", Where},
    {"aten::masked_fill", MaskedFill},
};

}  // namespace

absl::Span<const AtenRow> CompareRows() { return kRows; }

}  // namespace quantry::engine
