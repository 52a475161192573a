#include <ATen/ATen.h>

#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

// `x` reduced along the axes of argument `axes` (none or left out: along all); argument `keep` says
// whether they stay with size 1.
Operand Reduce(AtenCall& call, const char* op, const Operand& x, size_t axes, size_t keep) {
  const bool all = call.IsNone(axes) || call.Ints(axes).empty();
  const bool kept = keep < call.size() && call.Bool(keep);
  const Operand along = all ? Operand{} : call.IntsConstant(call.Ints(axes));
  return call.lowering().Emit(op, {x, along}, {{"keepdims", int64_t{kept}}});
}

// input, dtype; or input, dimensions, keepdim, dtype
Operand Along(AtenCall& call, const char* op) {
  const size_t dtype = call.size() <= 2 ? 1 : 3;
  Operand x = call.Tensor(0);
  if (!call.IsNone(dtype)) {
    x = EmitCast(call.lowering(), x, static_cast<at::ScalarType>(call.Int(dtype)));
  } else if (at::isIntegralType(x.lanes[0].scalar_type(), /*includeBool=*/true)) {
    x = EmitCast(call.lowering(), x, at::kLong);
  }
  return Reduce(call, op, x, dtype == 1 ? call.size() : 1, dtype == 1 ? call.size() : 2);
}

Operand Sum(AtenCall& call) { return Along(call, "ReduceSum"); }
Operand Mean(AtenCall& call) { return Along(call, "ReduceMean"); }

// input, p; or input, p, dimensions, keepdim, ...
Operand Norm(AtenCall& call) {
  const double p = call.IsNone(1) ? 2.0 : call.Number(1);
  TORCH_CHECK(p == 1.0 || p == 2.0, "a norm with p = ", p,
              " is not supported; allowed are 1 and 2");
  return Reduce(call, p == 1.0 ? "ReduceL1" : "ReduceL2", call.Tensor(0), 2, 3);
}

Operand AMax(AtenCall& call) { return Reduce(call, "ReduceMax", call.Tensor(0), 1, 2); }
Operand AMin(AtenCall& call) { return Reduce(call, "ReduceMin", call.Tensor(0), 1, 2); }

// input; or input, other
Operand Extreme(AtenCall& call, const char* reduce, const char* pairwise) {
  const Operand x = call.Tensor(0);
  if (call.IsTensor(1)) return call.lowering().Emit(pairwise, {x, call.Tensor(1)});
  return Reduce(call, reduce, x, call.size(), call.size());
}

Operand Max(AtenCall& call) { return Extreme(call, "ReduceMax", "Max"); }
Operand Min(AtenCall& call) { return Extreme(call, "ReduceMin", "Min"); }

// input, dim, keepdim
Operand IndexOf(AtenCall& call, const char* op) {
  TORCH_CHECK(!call.IsNone(1), "an index among all elements is not supported");
  return call.lowering().Emit(op, {call.Tensor(0)},
                              {{"axis", call.Int(1)}, {"keepdims", int64_t{call.Bool(2)}}});
}

Operand ArgMax(AtenCall& call) { return IndexOf(call, "ArgMax"); }
Operand ArgMin(AtenCall& call) { return IndexOf(call, "ArgMin"); }

// input, dim, keepdim: the values, and where they are.
std::vector<Operand> MaxAlong(AtenCall& call) {
  return {Reduce(call, "ReduceMax", call.Tensor(0), 1, 2), ArgMax(call)};
}

std::vector<Operand> MinAlong(AtenCall& call) {
  return {Reduce(call, "ReduceMin", call.Tensor(0), 1, 2), ArgMin(call)};
}

constexpr AtenRow kRows[] = {
    {"aten::sum", Sum},
    {"aten::mean", Mean},
    {"aten::norm", Norm},
    {"aten::linalg_vector_norm", Norm},
    {"aten::amax", AMax},
    {"aten::amin", AMin},
    {"aten::max", Max, false, MaxAlong},
    {"aten::min", Min, false, MinAlong},
    {"aten::argmax", ArgMax},
    {"aten::argmin", ArgMin},
};

}  // namespace

absl::Span<const AtenRow> ReduceRows() { return kRows; }

}  // namespace quantry::engine
