#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/strings/str_replace.h"
#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

std::vector<Operand> EmitSplit(AtenCall& call, const std::vector<int64_t>& sizes, int64_t axis) {
  const Operand x = call.Tensor(0);
  TORCH_CHECK(x.lanes[0].size(axis) == x.lanes[1].size(axis),
              "splitting along the batch is not supported");
  const int64_t total = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  TORCH_CHECK(total == x.lanes[0].size(axis), "the parts have ", total, " elements, the axis has ",
              x.lanes[0].size(axis));
  if (sizes.size() == 1) return {call.lowering().Emit("Identity", {x})};
  return call.lowering().EmitMany("Split", {x, call.IntsConstant(sizes)}, {{"axis", axis}},
                                  sizes.size());
}

// Parts of `length`; the last one may be shorter.
std::vector<Operand> SplitEvery(AtenCall& call, int64_t length, int64_t axis) {
  const int64_t size = call.Tensor(0).lanes[0].size(axis);
  TORCH_CHECK(length > 0, "parts of ", length, " elements");
  std::vector<int64_t> sizes;
  for (int64_t first = 0; first < size; first += length) {
    sizes.push_back(std::min(length, size - first));
  }
  return EmitSplit(call, sizes, axis);
}

// input, number of parts, dim
std::vector<Operand> Chunk(AtenCall& call) {
  const Operand x = call.Tensor(0);
  const int64_t axis = c10::maybe_wrap_dim(call.Int(2), x.rank());
  const int64_t parts = call.Int(1);
  TORCH_CHECK(parts > 0, "chunk into ", parts, " parts");
  return SplitEvery(call, (x.lanes[0].size(axis) + parts - 1) / parts, axis);
}

// input, size of the parts or their sizes, dim
std::vector<Operand> Split(AtenCall& call) {
  const int64_t axis = c10::maybe_wrap_dim(call.Int(2), call.Tensor(0).rank());
  if (call.at(1)[0].isInt()) return SplitEvery(call, call.Int(1), axis);
  return EmitSplit(call, call.Ints(1), axis);
}

std::vector<Operand> Unbind(AtenCall& call) {
  const Operand x = call.Tensor(0);
  const int64_t axis = c10::maybe_wrap_dim(call.Int(1), x.rank());
  std::vector<Operand> parts;
  for (const Operand& part : SplitEvery(call, 1, axis)) {
    parts.push_back(call.lowering().Emit("Squeeze", {part, call.IntsConstant({axis})}));
  }
  return parts;
}

Operand Stack(AtenCall& call) {
  std::vector<Operand> parts = call.Tensors(0);
  TORCH_CHECK(!parts.empty(), "stack of nothing");
  const int64_t axis = c10::maybe_wrap_dim(call.Int(1), parts[0].rank() + 1);
  for (Operand& part : parts) {
    part = call.lowering().Emit("Unsqueeze", {part, call.IntsConstant({axis})});
  }
  return call.lowering().Emit("Concat", parts, {{"axis", axis}});
}

// input, one index per axis from the first on, None for an axis that is taken whole
Operand Index(AtenCall& call) {
  const Operand x = call.Tensor(0);
  const auto first = call.at(1)[0].toListRef();
  const auto second = call.at(1)[1].toListRef();
  std::optional<size_t> axis;
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i].isNone()) continue;
    TORCH_CHECK(!axis, "an index along several axes at once is not supported");
    axis = i;
  }
  TORCH_CHECK(axis.has_value(), "an index of nothing");
  const Operand index = call.lowering().OperandOf({first[*axis], second[*axis]});
  TORCH_CHECK(index.lanes[0].scalar_type() == at::kLong || index.lanes[0].scalar_type() == at::kInt,
              "an index by a mask is not supported");
  return call.lowering().Emit("Gather", {x, index}, {{"axis", static_cast<int64_t>(*axis)}});
}

// input, dim, index
Operand IndexSelect(AtenCall& call) {
  return call.lowering().Emit("Gather", {call.Tensor(0), call.Tensor(2)}, {{"axis", call.Int(1)}});
}

// input, sizes: -1 keeps what is there
Operand Expand(AtenCall& call) {
  const Operand x = call.Tensor(0);
  std::array<std::vector<int64_t>, kLanes> sizes;
  std::array<at::Tensor, kLanes> shapes;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    shapes[lane] = x.lanes[lane].expand(call.at(1)[lane].toIntVector());
    sizes[lane] = shapes[lane].sizes().vec();
  }
  return call.lowering().EmitShaped("Expand", {x, call.lowering().Sizes(sizes)}, shapes);
}

Operand ExpandAs(AtenCall& call) {
  const Operand x = call.Tensor(0);
  const Operand like = call.Tensor(1);
  return call.lowering().EmitShaped(
      "Expand", {x, call.lowering().Emit("Shape", {like})},
      {x.lanes[0].expand_as(like.lanes[0]), x.lanes[1].expand_as(like.lanes[1])});
}

// input, how often along each axis; axes that the input lacks come first
Operand Repeat(AtenCall& call) {
  Operand x = call.Tensor(0);
  const auto axes = static_cast<int64_t>(call.at(1)[0].toListRef().size());
  TORCH_CHECK(axes >= x.rank(), "there are ", axes, " repeats for ", x.rank(), " axes");
  while (x.rank() < axes) {
    x = call.lowering().Emit("Unsqueeze", {x, call.IntsConstant({0})});
  }
  std::array<std::vector<int64_t>, kLanes> times;
  std::array<at::Tensor, kLanes> shapes;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    times[lane] = call.at(1)[lane].toIntVector();
    std::vector<int64_t> sizes = x.lanes[lane].sizes().vec();
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      TORCH_CHECK(times[lane][axis] > 0, "repeats of ", times[lane][axis]);
      sizes[axis] *= times[lane][axis];
    }
    shapes[lane] = at::zeros({}, x.lanes[lane].options()).expand(sizes);
  }
  return call.lowering().EmitShaped("Tile", {x, call.lowering().Sizes(times)}, shapes);
}

// A tensor of `value`s as large as the first input.
Operand FilledLike(AtenCall& call, double value, at::ScalarType type) {
  Lowering& to = call.lowering();
  std::array<std::vector<int64_t>, kLanes> sizes;
  std::array<at::Tensor, kLanes> shapes;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    shapes[lane] = call.at(0)[lane].toTensor().to(type);
    sizes[lane] = shapes[lane].sizes().vec();
  }
  const Operand one = to.Constant(at::scalar_tensor(value, at::TensorOptions(type)));
  return to.EmitShaped("Expand", {one, to.Sizes(sizes)}, shapes);
}

// input, dtype, and where it lies
template <int value>
Operand NumberLike(AtenCall& call) {
  const at::ScalarType own = call.at(0)[0].toTensor().scalar_type();
  return FilledLike(call, value, call.IsNone(1) ? own : call.at(1)[0].toScalarType());
}

// input, generator: each element is a probability; or input, probability, generator
Operand Bernoulli(AtenCall& call) {
  Lowering& to = call.lowering();
  if (call.size() < 3 || call.IsNone(1)) return to.Emit("Bernoulli", {call.Tensor(0)});
  const at::ScalarType type = call.at(0)[0].toTensor().scalar_type();
  return to.Emit("Bernoulli", {FilledLike(call, call.Number(1), type)});
}

// x[-shift:] in front of x[:-shift], along one axis.
Operand Rolled(AtenCall& call, const Operand& x, int64_t shift, int64_t axis) {
  const int64_t size = x.lanes[0].size(axis);
  TORCH_CHECK(size == x.lanes[1].size(axis) && size > 0, "roll along the batch is not supported");
  const int64_t cut = ((-shift) % size + size) % size;
  if (cut == 0) return x;
  Lowering& to = call.lowering();
  const auto part = [&](int64_t start, int64_t end) {
    return to.Emit("Slice", {x, call.IntsConstant({start}), call.IntsConstant({end}),
                             call.IntsConstant({axis})});
  };
  return to.Emit("Concat", {part(cut, size), part(0, cut)}, {{"axis", axis}});
}

// input, shifts, dims
Operand Roll(AtenCall& call) {
  const std::vector<int64_t> shifts = call.Ints(1);
  const std::vector<int64_t> axes = call.Ints(2);
  TORCH_CHECK(shifts.size() == axes.size(), "roll needs a dimension for each shift");
  Operand x = call.lowering().Emit("Identity", {call.Tensor(0)});
  for (size_t i = 0; i < axes.size(); ++i) {
    x = Rolled(call, x, shifts[i], c10::maybe_wrap_dim(axes[i], x.rank()));
  }
  return x;
}

// equation, operands
Operand Einsum(AtenCall& call) {
  const std::string equation = call.at(0)[0].toStringRef();
  return call.lowering().Emit("Einsum", call.Tensors(1),
                              {{"equation", absl::StrReplaceAll(equation, {{" ", ""}})}});
}

constexpr AtenRow kRows[] = {
    {"aten::chunk", nullptr, true, Chunk},
    {"aten::split", nullptr, true, Split},
    {"aten::split_with_sizes", nullptr, true, Split},
    {"aten::unbind", nullptr, true, Unbind},
    {"aten::stack", Stack},
    {"aten::index", Index},
    {"aten::index_select", IndexSelect},
    {"aten::expand", Expand, true},
    {"aten::expand_as", ExpandAs, true},
    {"aten::bernoulli", Bernoulli},
    {"aten::zeros_like", NumberLike<0>},
    {"aten::ones_like", NumberLike<1>},
    {"aten::repeat", Repeat},
    {"aten::roll", Roll},
    {"aten::einsum", Einsum},
};

}  // namespace

absl::Span<const AtenRow> IndexRows() { return kRows; }

}  // namespace quantry::engine
