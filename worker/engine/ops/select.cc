// Operators that choose elements by their values: the size of their results is known only then.
#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <numeric>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

at::Tensor Compress(const Node& node, const at::Tensor& x, const at::Tensor& condition) {
  const at::Tensor chosen = at::nonzero(condition.reshape({-1})).reshape({-1});
  if (!node.HasAttribute("axis")) return at::index_select(x.reshape({-1}), 0, chosen);
  return at::index_select(x, node.Int("axis", 0), chosen);
}

// Where there are several equal elements, those of lower index come first.
std::vector<at::Tensor> TopK(const Node& node, absl::Span<const at::Tensor> inputs,
                             const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", -1), x.dim());
  const bool largest = node.Int("largest", 1) != 0;
  TORCH_CHECK(inputs[1].numel() == 1, "k must be one number");
  const auto [values, indices] = at::sort(x, /*stable=*/true, axis, /*descending=*/largest);
  const auto k = inputs[1].item<int64_t>();
  TORCH_CHECK(k >= 0 && k <= x.size(axis), "k is ", k, ", the axis has ", x.size(axis));
  return FirstOutputs(node, {values.narrow(axis, 0, k), indices.narrow(axis, 0, k)});
}

absl::Status UpgradeTopK(Graph& graph, Node& node, int64_t opset) {
  if (opset >= 10) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<int64_t> k, TakeAttribute<int64_t>(node, "k"));
  if (k) SetConstantInput(graph, node, 1, at::tensor({*k}, at::kLong));
  return absl::OkStatus();
}

// For each of `count` unique elements where it is met first; `inverse`: which one each element is.
at::Tensor FirstPlaces(const at::Tensor& inverse, int64_t count) {
  const std::vector<int64_t> which = IntsOf(inverse);
  std::vector<int64_t> first(static_cast<size_t>(count), -1);
  for (size_t i = 0; i < which.size(); ++i) {
    int64_t& place = first[static_cast<size_t>(which[i])];
    if (place < 0) place = static_cast<int64_t>(i);
  }
  return at::tensor(first, at::kLong).to(inverse.device());
}

// Unique elements, or slices along `axis`, sorted or in the order in which they are met; where each
// is met first; which of them each element is; how often each is met.
at::Tensor UniqueAlong(const at::Tensor& x, int64_t axis, bool sorted, at::Tensor& first,
                       at::Tensor& inverse, at::Tensor& counts) {
  at::Tensor y;
  std::tie(y, inverse, counts) =
      at::unique_dim(x, axis, /*sorted=*/true, /*return_inverse=*/true, /*return_counts=*/true);
  first = FirstPlaces(inverse, y.size(axis));
  if (sorted) return y;
  const at::Tensor order = at::argsort(first);
  inverse = at::index_select(at::argsort(order), 0, inverse);
  first = at::index_select(first, 0, order);
  counts = at::index_select(counts, 0, order);
  return at::index_select(y, axis, order);
}

std::vector<at::Tensor> Unique(const Node& node, absl::Span<const at::Tensor> inputs,
                               const EvaluateContext&) {
  const bool whole = !node.HasAttribute("axis");
  const at::Tensor x = whole ? inputs[0].reshape({-1}) : inputs[0];
  const int64_t axis = whole ? 0 : c10::maybe_wrap_dim(node.Int("axis", 0), x.dim());
  at::Tensor first, inverse, counts;
  const at::Tensor y = UniqueAlong(x, axis, node.Int("sorted", 1) != 0, first, inverse, counts);
  return FirstOutputs(node, {y, first, inverse, counts});
}

}  // namespace

extern const OperatorDef kCompressOperator = {
    .op = "Compress",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"axis", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckAxis(node, "axis"); },
    .evaluate = BinaryOf<Compress>};

extern const OperatorDef kNonZeroOperator = {
    .op = "NonZero", .evaluate = Unary<[](const at::Tensor& x) { return at::nonzero(x).t(); }>};

extern const OperatorDef kTopKOperator = {
    .op = "TopK",
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 2,
    .attributes = {{"axis", AttributeKind::kInt},
                   {"largest", AttributeKind::kInt},
                   {"sorted", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckAxis(node, "axis"); },
    .evaluate = TopK,
    .upgrade = UpgradeTopK};

extern const OperatorDef kUniqueOperator = {
    .op = "Unique",
    .max_outputs = 4,
    .attributes = {{"axis", AttributeKind::kInt}, {"sorted", AttributeKind::kInt}},
    .validate = [](const Node& node) { return CheckAxis(node, "axis"); },
    .evaluate = Unique};

}  // namespace quantry::engine
