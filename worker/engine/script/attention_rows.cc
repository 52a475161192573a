// Attention where torch has one operator for all of it.
#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "worker/engine/script/aten_table.h"

namespace quantry::engine {
namespace {

Operand Transposed(AtenCall& call, const Operand& x, const std::vector<int64_t>& perm) {
  return call.lowering().Emit("Transpose", {x}, {{"perm", perm}});
}

// softmax(scale * query * transposed key), of queries [..., L, E] and keys [..., S, E]; `mask`,
// which may be left out, is added before the softmax.
Operand Weights(AtenCall& call, const Operand& query, const Operand& key, const Operand& mask,
                double scale) {
  Lowering& to = call.lowering();
  std::vector<int64_t> swapped;
  for (int64_t axis = 0; axis < key.rank(); ++axis) swapped.push_back(axis);
  std::swap(swapped.at(swapped.size() - 1), swapped.at(swapped.size() - 2));
  const Operand scaled = to.Emit("Mul", {query, call.FloatConstant(scale)});
  Operand scores = to.Emit("MatMul", {scaled, Transposed(call, key, swapped)});
  if (mask.value != nullptr) scores = to.Emit("Add", {scores, mask});
  return to.Emit("Softmax", {scores}, {{"axis", int64_t{-1}}});
}

// The mask that is added: of bool ones, true keeps and false takes away.
Operand AddedMask(AtenCall& call, const Operand& mask) {
  if (mask.value == nullptr || mask.lanes[0].scalar_type() != at::kBool) return mask;
  return call.lowering().Emit("Where",
                              {mask, call.FloatConstant(0.0),
                               call.FloatConstant(-std::numeric_limits<double>::infinity())});
}

// Of query L and key S only the keys up to the query's own position count.
Operand CausalMask(AtenCall& call, const Operand& query, const Operand& key) {
  const int64_t queries = query.lanes[0].size(-2);
  const int64_t keys = key.lanes[0].size(-2);
  const at::Tensor hidden = at::ones({queries, keys}, at::kBool).tril().logical_not();
  return call.lowering().Constant(
      at::zeros({queries, keys}, at::kFloat)
          .masked_fill(hidden, -std::numeric_limits<float>::infinity()));
}

// query, key, value, mask, dropout, is_causal, scale
Operand ScaledDotProduct(AtenCall& call) {
  const Operand query = call.Tensor(0);
  const Operand key = call.Tensor(1);
  const double width = static_cast<double>(query.lanes[0].size(-1));
  const double scale = call.IsNone(6) ? 1.0 / std::sqrt(width) : call.Number(6);
  const bool causal = !call.IsNone(5) && call.Bool(5);
  TORCH_CHECK(call.IsNone(7) || !call.Bool(7), "enable_gqa is not supported");
  const Operand mask = causal ? CausalMask(call, query, key) : AddedMask(call, call.Tensor(3));
  Operand weights = Weights(call, query, key, mask, scale);
  if (!call.IsNone(4) && call.Number(4) > 0.0) {
    weights = call.lowering().Emit("Dropout", {weights, call.FloatConstant(call.Number(4))});
  }
  return call.lowering().Emit("MatMul", {weights, call.Tensor(2)});
}

// `x` [N, L, ...] reshaped to [N, L, inner...].
Operand WithInner(AtenCall& call, const Operand& x, const std::vector<int64_t>& inner) {
  std::array<std::vector<int64_t>, kLanes> sizes;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    sizes[lane] = {x.lanes[lane].size(0), x.lanes[lane].size(1)};
    sizes[lane].insert(sizes[lane].end(), inner.begin(), inner.end());
  }
  return EmitReshape(call, x, sizes);
}

// query, key, value, width, heads, qkv weight, qkv bias, output weight, output bias, mask,
// need_weights, average_attn_weights, mask_type
std::vector<Operand> MultiHead(AtenCall& call) {
  Lowering& to = call.lowering();
  const Operand x = call.Tensor(0);
  const bool self =
      x.value == call.Tensor(1).value && x.value == call.Tensor(2).value && x.rank() == 3;
  TORCH_CHECK(self, "query, key and value must be the same batch of sequences");
  TORCH_CHECK(call.IsNone(9), "a mask is not supported");
  const int64_t width = call.Int(3);
  const int64_t heads = call.Int(4);
  TORCH_CHECK(heads > 0 && width % heads == 0, width, " elements don't fall into ", heads,
              " heads");
  const Operand projected = EmitLinear(call, x, call.Tensor(5), call.Tensor(6));
  const Operand parts =
      Transposed(call, WithInner(call, projected, {3, heads, width / heads}), {2, 0, 3, 1, 4});
  const auto part = [&](int64_t i) {
    return to.Emit("Gather", {parts, to.Constant(at::scalar_tensor(i, at::kLong))},
                   {{"axis", int64_t{0}}});
  };
  const double scale = 1.0 / std::sqrt(static_cast<double>(width / heads));
  const Operand weights = Weights(call, part(0), part(1), {}, scale);
  const Operand mixed = Transposed(call, to.Emit("MatMul", {weights, part(2)}), {0, 2, 1, 3});
  const Operand result =
      EmitLinear(call, WithInner(call, mixed, {width}), call.Tensor(7), call.Tensor(8));
  if (!call.Bool(10)) return {result, {}};
  if (!call.Bool(11)) return {result, weights};
  return {result,
          to.Emit("ReduceMean", {weights, call.IntsConstant({1})}, {{"keepdims", int64_t{0}}})};
}

// bias, a, b, beta, alpha: beta * bias + alpha * a * b
Operand BatchedAddMm(AtenCall& call) {
  Lowering& to = call.lowering();
  const auto times = [&](const Operand& x, size_t factor) {
    return call.Number(factor) == 1.0 ? x : to.Emit("Mul", {x, call.As(factor, x.dtype())});
  };
  const Operand product = to.Emit("MatMul", {call.Tensor(1), call.Tensor(2)});
  return to.Emit("Add", {times(call.Tensor(0), 3), times(product, 4)});
}

constexpr AtenRow kRows[] = {
    {"aten::scaled_dot_product_attention", ScaledDotProduct},
    {"aten::_native_multi_head_attention", nullptr, false, MultiHead},
    {"aten::baddbmm", BatchedAddMm},
};

}  // namespace

absl::Span<const AtenRow> AttentionRows() { return kRows; }

}  // namespace quantry::engine
