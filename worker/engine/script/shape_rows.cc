#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

Operand Reshape(AtenCall& call) {
  return EmitReshape(call, call.Tensor(0),
                     {call.at(1)[0].toIntVector(), call.at(1)[1].toIntVector()});
}

Operand Flatten(AtenCall& call) {
  const Operand x = call.Tensor(0);
  const int64_t start = c10::maybe_wrap_dim(call.Int(1), x.rank());
  const int64_t end = c10::maybe_wrap_dim(call.Int(2), x.rank());
  if (start == 1 && end == x.rank() - 1) {
    return call.lowering().Emit("Flatten", {x}, {{"axis", int64_t{1}}});
  }
  return EmitReshape(
      call, x,
      {x.lanes[0].flatten(start, end).sizes().vec(), x.lanes[1].flatten(start, end).sizes().vec()});
}

Operand Permute(AtenCall& call) {
  const Operand x = call.Tensor(0);
  std::vector<int64_t> perm = call.Ints(1);
  for (int64_t& axis : perm) axis = c10::maybe_wrap_dim(axis, x.rank());
  return call.lowering().Emit("Transpose", {x}, {{"perm", perm}});
}

Operand EmitSwap(AtenCall& call, const Operand& x, int64_t a, int64_t b) {
  std::vector<int64_t> perm(static_cast<size_t>(x.rank()));
  std::iota(perm.begin(), perm.end(), int64_t{0});
  std::swap(perm.at(static_cast<size_t>(c10::maybe_wrap_dim(a, x.rank()))),
            perm.at(static_cast<size_t>(c10::maybe_wrap_dim(b, x.rank()))));
  return call.lowering().Emit("Transpose", {x}, {{"perm", perm}});
}

Operand Transpose(AtenCall& call) {
  return EmitSwap(call, call.Tensor(0), call.Int(1), call.Int(2));
}

Operand T(AtenCall& call) {
  const Operand x = call.Tensor(0);
  return x.rank() < 2 ? call.lowering().Emit("Identity", {x}) : EmitSwap(call, x, 0, 1);
}

Operand Identity(AtenCall& call) { return call.lowering().Emit("Identity", {call.Tensor(0)}); }

Operand Cat(AtenCall& call) {
  return call.lowering().Emit("Concat", call.Tensors(0), {{"axis", call.Int(1)}});
}

// input, dim, start, end, step
Operand Slice(AtenCall& call) {
  const int64_t start = call.IsNone(2) ? 0 : call.Int(2);
  const Operand x = call.Tensor(0);
  const int64_t axis = c10::maybe_wrap_dim(call.Int(1), x.rank());
  // An end at or behind the last element is no end, so that x[:x.size(0)] keeps the batch free.
  bool whole = call.IsNone(3);
  for (size_t lane = 0; lane < kLanes && !call.IsNone(3); ++lane) {
    whole = call.at(3)[lane].toInt() >= x.lanes[lane].size(axis);
    if (!whole) break;
  }
  const int64_t end = whole ? std::numeric_limits<int64_t>::max() : call.Int(3);
  if (whole && start == 0 && call.Int(4) == 1) return call.lowering().Emit("Identity", {x});
  const Operand slice =
      call.lowering().Emit("Slice", {x, call.IntsConstant({start}), call.IntsConstant({end}),
                                     call.IntsConstant({axis}), call.IntsConstant({call.Int(4)})});
  const int64_t size = x.lanes[0].size(axis);
  const int64_t first = start < 0 ? std::max<int64_t>(start + size, 0) : std::min(start, size);
  if (size == x.lanes[1].size(axis) && call.Int(4) == 1) {
    call.lowering().MarkSlice(slice, call.at(0), axis, first, first + slice.lanes[0].size(axis));
  }
  return slice;
}

Operand Select(AtenCall& call) {
  return call.lowering().Emit(
      "Gather",
      {call.Tensor(0), call.lowering().Constant(at::scalar_tensor(call.Int(2), at::kLong))},
      {{"axis", call.Int(1)}});
}

Operand Unsqueeze(AtenCall& call) {
  return call.lowering().Emit("Unsqueeze", {call.Tensor(0), call.IntsConstant({call.Int(1)})});
}

Operand Squeeze(AtenCall& call) {
  const Operand x = call.Tensor(0);
  TORCH_CHECK(call.size() == 2, "squeeze needs a dimension");
  if (x.lanes[0].size(call.Int(1)) != 1) return call.lowering().Emit("Identity", {x});
  return call.lowering().Emit("Squeeze", {x, call.IntsConstant({call.Int(1)})});
}

// input, pads from the last axis on, [mode,] value
Operand EmitPad(AtenCall& call, size_t value) {
  const Operand x = call.Tensor(0);
  const std::vector<int64_t> given = call.Ints(1);
  const auto rank = static_cast<size_t>(x.rank());
  TORCH_CHECK(given.size() % 2 == 0 && given.size() / 2 <= rank, "wrong number of pads");
  std::vector<int64_t> pads(2 * rank, 0);
  for (size_t i = 0; i < given.size() / 2; ++i) {
    pads[rank - 1 - i] = given[2 * i];
    pads[2 * rank - 1 - i] = given[2 * i + 1];
  }
  const double fill = call.IsNone(value) ? 0.0 : call.Number(value);
  return call.lowering().Emit("Pad", {x, call.IntsConstant(pads), call.FloatConstant(fill)});
}

Operand ConstantPad(AtenCall& call) { return EmitPad(call, 2); }

Operand Pad(AtenCall& call) {
  TORCH_CHECK(call.at(2)[0].toStringRef() == "constant", "only the mode 'constant' is supported");
  return EmitPad(call, 3);
}

constexpr AtenRow kRows[] = {
    {"aten::view", Reshape, true},
    {"aten::reshape", Reshape, true},
    {"aten::flatten", Flatten, true},
    {"aten::permute", Permute, true},
    {"aten::transpose", Transpose, true},
    {"aten::swapaxes", Transpose, true},
    {"aten::t", T, true},
    {"aten::contiguous", Identity, true},
    {"aten::clone", Identity},
    {"aten::detach", Identity, true},
    {"aten::cat", Cat},
    {"aten::slice", Slice, true},
    {"aten::select", Select, true},
    {"aten::unsqueeze", Unsqueeze, true},
    {"aten::squeeze", Squeeze, true},
    {"aten::constant_pad_nd", ConstantPad},
    {"aten::pad", Pad},
};

}  // namespace

// A size that depends on the batch is written 0 where it stays in its place, else, once, -1.
Operand EmitReshape(AtenCall& call, const Operand& x,
                    const std::array<std::vector<int64_t>, kLanes>& sizes) {
  std::vector<int64_t> target;
  bool open = std::find(sizes[0].begin(), sizes[0].end(), -1) != sizes[0].end();
  TORCH_CHECK(sizes[0].size() == sizes[1].size(), "the rank depends on the batch size");
  for (size_t i = 0; i < sizes[0].size(); ++i) {
    if (sizes[0][i] == sizes[1][i]) {
      TORCH_CHECK(sizes[0][i] != 0, "sizes of 0 are not supported");
      target.push_back(sizes[0][i]);
      continue;
    }
    const auto axis = static_cast<int64_t>(i);
    const bool kept = axis < x.rank() && x.lanes[0].size(axis) == sizes[0][i] &&
                      x.lanes[1].size(axis) == sizes[1][i];
    TORCH_CHECK(kept || !open, "more than one size depends on the batch size");
    target.push_back(kept ? 0 : -1);
    open = open || !kept;
  }
  return call.lowering().Emit("Reshape", {x, call.IntsConstant(target)});
}

absl::Span<const AtenRow> ShapeRows() { return kRows; }

}  // namespace quantry::engine
