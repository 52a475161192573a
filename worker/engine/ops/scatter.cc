#include "worker/engine/ops/scatter.h"

#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <vector>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

at::Tensor WrappedIndices(const at::Tensor& indices, const at::Tensor& x, int64_t size) {
  const at::Tensor wide = indices.to(x.device(), at::kLong);
  return at::where(wide < 0, wide + size, wide);
}

at::Tensor ScatterAlong(const at::Tensor& x, int64_t axis, const at::Tensor& indices,
                        const at::Tensor& updates, const std::string& reduction) {
  if (reduction == "none") return at::scatter(x, axis, indices, updates);
  if (reduction == "add") return at::scatter_add(x, axis, indices, updates);
  const char* join = reduction == "mul" ? "prod" : reduction == "max" ? "amax" : "amin";
  return at::scatter_reduce(x, axis, indices, updates, join);
}

namespace {

std::vector<at::Tensor> ScatterElements(const Node& node, absl::Span<const at::Tensor> inputs,
                                        const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", 0), x.dim());
  return {ScatterAlong(x, axis, WrappedIndices(inputs[1], x, x.size(axis)), inputs[2],
                       node.String("reduction", "none"))};
}

// Each row of the indices, of `depth` numbers, as one index into the first `depth` axes of x.
at::Tensor LinearIndices(const at::Tensor& indices, const at::Tensor& x, int64_t depth) {
  at::Tensor linear = at::zeros(indices.sizes().slice(0, static_cast<size_t>(indices.dim() - 1)),
                                x.options().dtype(at::kLong).requires_grad(false));
  for (int64_t i = 0; i < depth; ++i) {
    const at::Tensor index = WrappedIndices(indices.select(-1, i), x, x.size(i));
    TORCH_CHECK(index.numel() == 0 ||
                    (index.min().item<int64_t>() >= 0 && index.max().item<int64_t>() < x.size(i)),
                "an index is outside of axis ", i, " of size ", x.size(i));
    linear = at::add(at::mul(linear, x.size(i)), index);
  }
  return linear;
}

std::vector<at::Tensor> ScatterNd(const Node& node, absl::Span<const at::Tensor> inputs,
                                  const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const at::Tensor& indices = inputs[1];
  TORCH_CHECK(indices.dim() >= 1 && indices.size(-1) <= x.dim(),
              "the last axis of the indices is longer than the input has axes");
  const int64_t depth = indices.size(-1);
  int64_t rows = 1;
  for (int64_t i = 0; i < depth; ++i) rows *= x.size(i);
  TORCH_CHECK(rows > 0 && x.numel() > 0, "the input is empty");
  const at::Tensor flat = x.reshape({rows, x.numel() / rows});
  const at::Tensor updates = inputs[2].reshape({-1, flat.size(1)});
  const at::Tensor linear = LinearIndices(indices, x, depth).reshape({-1, 1});
  TORCH_CHECK(updates.size(0) == linear.size(0), "there are ", updates.size(0), " updates for ",
              linear.size(0), " indices");
  return {
      ScatterAlong(flat, 0, linear.expand_as(updates), updates, node.String("reduction", "none"))
          .reshape(x.sizes())};
}

// The first `batch_dims` axes run along with those of the indices.
std::vector<at::Tensor> GatherNd(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const at::Tensor& indices = inputs[1];
  const int64_t batch = node.Int("batch_dims", 0);
  TORCH_CHECK(indices.dim() > batch && batch + indices.size(-1) <= x.dim(),
              "the last axis of the indices is longer than the input has axes");
  const int64_t depth = indices.size(-1);
  const at::Tensor grouped = x.flatten(0, batch == 0 ? 0 : batch - 1);
  const at::Tensor from = batch == 0 ? x.unsqueeze(0) : grouped;
  const at::Tensor which = indices.reshape({from.size(0), -1, depth});
  c10::List<c10::optional<at::Tensor>> places;
  places.push_back(at::arange(from.size(0), which.options().dtype(at::kLong)).unsqueeze(1));
  for (int64_t i = 0; i < depth; ++i) places.push_back(which.select(-1, i).to(at::kLong));
  std::vector<int64_t> sizes = indices.sizes().vec();
  sizes.pop_back();
  const auto rest = x.sizes().slice(static_cast<size_t>(batch + depth));
  sizes.insert(sizes.end(), rest.begin(), rest.end());
  return {at::index(from, places).reshape(sizes)};
}

std::vector<at::Tensor> GatherElements(const Node& node, absl::Span<const at::Tensor> inputs,
                                       const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", 0), x.dim());
  return {at::gather(x, axis, WrappedIndices(inputs[1], x, x.size(axis)))};
}

absl::Status ValidateScatter(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckAxis(node, "axis"));
  return CheckOneOf(node, "reduction", {"none", "add", "mul", "max", "min"});
}

}  // namespace

extern const OperatorDef kGatherElementsOperator = {
    .op = "GatherElements",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"axis", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckAxis(node, "axis"); },
    .evaluate = GatherElements};

extern const OperatorDef kGatherNDOperator = {
    .op = "GatherND",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"batch_dims", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckInt(node, "batch_dims", 0, 16); },
    .evaluate = GatherNd};

// The name of ScatterElements up to opset 10.
extern const OperatorDef kScatterOperator = {.op = "Scatter",
                                             .min_inputs = 3,
                                             .max_inputs = 3,
                                             .attributes = {{"axis", AttributeKind::kInt}},
                                             .validate = ValidateScatter,
                                             .evaluate = ScatterElements,
                                             .upgrade = [](Graph& graph, Node& node, int64_t) {
                                               graph.SetOp(&node, "ScatterElements");
                                               return absl::OkStatus();
                                             }};

extern const OperatorDef kScatterElementsOperator = {
    .op = "ScatterElements",
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {{"axis", AttributeKind::kInt}, {"reduction", AttributeKind::kString}},
    .validate = ValidateScatter,
    .evaluate = ScatterElements};

extern const OperatorDef kScatterNDOperator = {
    .op = "ScatterND",
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {{"reduction", AttributeKind::kString}},
    .validate = ValidateScatter,
    .evaluate = ScatterNd};

}  // namespace quantry::engine
