#include <ATen/ATen.h>

#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

// n: how many axes are pooled over, as the operator's name says.

// input, kernel, stride, padding, dilation, ceil_mode
template <size_t n>
Operand MaxPool(AtenCall& call) {
  const auto kernel = call.Ints(1, n);
  return call.lowering().Emit("MaxPool", {call.Tensor(0)},
                              {{"kernel_shape", kernel},
                               {"strides", call.Ints(2, n, kernel)},
                               {"pads", TwoSided(call.Ints(3, n))},
                               {"dilations", call.Ints(4, n)},
                               {"ceil_mode", int64_t{call.Bool(5)}}});
}

// input, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override
template <size_t n>
Operand AvgPool(AtenCall& call) {
  TORCH_CHECK(call.IsNone(6), "divisor_override is not supported");
  const auto kernel = call.Ints(1, n);
  return call.lowering().Emit("AveragePool", {call.Tensor(0)},
                              {{"kernel_shape", kernel},
                               {"strides", call.Ints(2, n, kernel)},
                               {"pads", TwoSided(call.Ints(3, n))},
                               {"ceil_mode", int64_t{call.Bool(4)}},
                               {"count_include_pad", int64_t{call.Bool(5)}}});
}

// `x` with `wanted` elements along `axis`, each `reduce`d from those of a window; windows overlap
// where `wanted` does not divide the size.
Operand PoolAxis(AtenCall& call, const Operand& x, int64_t axis, int64_t wanted,
                 const char* reduce) {
  const int64_t size = x.lanes[0].size(axis);
  if (size == wanted) return x;
  std::vector<Operand> parts;
  for (int64_t i = 0; i < wanted; ++i) {
    const int64_t start = i * size / wanted;
    const int64_t end = ((i + 1) * size + wanted - 1) / wanted;
    const Operand part = call.lowering().Emit(
        "Slice",
        {x, call.IntsConstant({start}), call.IntsConstant({end}), call.IntsConstant({axis})});
    parts.push_back(call.lowering().Emit(reduce, {part, call.IntsConstant({axis})}));
  }
  return parts.size() == 1 ? parts[0] : call.lowering().Emit("Concat", parts, {{"axis", axis}});
}

// input, output sizes. A rectangle's mean is the mean of the means of its rows.
Operand AdaptivePool(AtenCall& call, size_t n, const char* pool, const char* global,
                     const char* reduce) {
  Operand x = call.Tensor(0);
  const auto rank = static_cast<size_t>(x.rank());
  const std::vector<int64_t> wanted = call.Ints(1, n);
  TORCH_CHECK(rank == n + 2, "the input must have a batch");
  std::vector<int64_t> kernel;
  bool same = true;
  bool divides = true;
  for (size_t i = 0; i < n; ++i) {
    const auto axis = static_cast<int64_t>(i + 2);
    const int64_t size = x.lanes[0].size(axis);
    TORCH_CHECK(wanted[i] > 0, "pooling to ", wanted[i], " elements");
    TORCH_CHECK(size == x.lanes[1].size(axis), "a pooled axis depends on the batch size");
    same = same && size == wanted[i];
    divides = divides && size % wanted[i] == 0;
    kernel.push_back(size / wanted[i]);
  }
  if (same) return call.lowering().Emit("Identity", {x});
  if (wanted == std::vector<int64_t>(n, 1)) return call.lowering().Emit(global, {x});
  if (divides) {
    return call.lowering().Emit(pool, {x}, {{"kernel_shape", kernel}, {"strides", kernel}});
  }
  for (size_t i = 0; i < n; ++i) {
    x = PoolAxis(call, x, static_cast<int64_t>(i + 2), wanted[i], reduce);
  }
  return x;
}

template <size_t n>
Operand AdaptiveAvgPool(AtenCall& call) {
  return AdaptivePool(call, n, "AveragePool", "GlobalAveragePool", "ReduceMean");
}

// The second result, where the largest elements stand, is refused.
template <size_t n>
std::vector<Operand> AdaptiveMaxPool(AtenCall& call) {
  return {AdaptivePool(call, n, "MaxPool", "GlobalMaxPool", "ReduceMax"), {}};
}

constexpr AtenRow kRows[] = {
    {"aten::max_pool1d", MaxPool<1>},
    {"aten::max_pool2d", MaxPool<2>},
    {"aten::max_pool3d", MaxPool<3>},
    {"aten::avg_pool1d", AvgPool<1>},
    {"aten::avg_pool2d", AvgPool<2>},
    {"aten::avg_pool3d", AvgPool<3>},
    {"aten::adaptive_avg_pool1d", AdaptiveAvgPool<1>},
    {"aten::adaptive_avg_pool2d", AdaptiveAvgPool<2>},
    {"aten::adaptive_avg_pool3d", AdaptiveAvgPool<3>},
    {"aten::adaptive_max_pool1d", nullptr, false, AdaptiveMaxPool<1>},
    {"aten::adaptive_max_pool2d", nullptr, false, AdaptiveMaxPool<2>},
    {"aten::adaptive_max_pool3d", nullptr, false, AdaptiveMaxPool<3>},
};

}  // namespace

absl::Span<const AtenRow> PoolRows() { return kRows; }

}  // namespace quantry::engine
