// Reductions along axes. ReduceMean, which networks end with, has a file of its own.
#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

using Function = std::vector<at::Tensor> (*)(const Node&, absl::Span<const at::Tensor>,
                                             const EvaluateContext&);

// `f` of x, the axes (all named, sorted) and whether they are kept with size 1.
template <auto f>
std::vector<at::Tensor> Along(const Node& node, absl::Span<const at::Tensor> inputs,
                              const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  std::vector<int64_t> axes;
  const at::Tensor given = InputOr(inputs, 1);
  if (given.defined()) axes = NormalAxes(IntsOf(given), x.dim());
  if (axes.empty()) {
    if (node.Int("noop_with_empty_axes", 0) != 0) return {x};
    for (int64_t axis = 0; axis < x.dim(); ++axis) axes.push_back(axis);
  }
  return {f(x, axes, node.Int("keepdims", 1) != 0)};
}

// Up to opset `last` the axes were an attribute.
template <int64_t last>
absl::Status AxesToInput(Graph& graph, Node& node, int64_t opset) {
  return opset > last ? absl::OkStatus() : ListToInput(graph, node, "axes", 1);
}

OperatorDef Reduction(absl::string_view op, Function evaluate,
                      absl::Status (*upgrade)(Graph&, Node&, int64_t) = AxesToInput<17>) {
  return {.op = op,
          .min_inputs = 1,
          .max_inputs = 2,
          .attributes = {{"keepdims", AttributeKind::kInt},
                         {"noop_with_empty_axes", AttributeKind::kInt}},
          .input_kinds = {InputKind::kActivation, InputKind::kStatic},
          .validate =
              [](const Node& node) {
                QUANTRY_RETURN_IF_ERROR(CheckInt(node, "keepdims", 0, 1));
                return CheckInt(node, "noop_with_empty_axes", 0, 1);
              },
          .evaluate = evaluate,
          .upgrade = upgrade};
}

using Axes = at::IntArrayRef;

// Keeps the type, which at::sum widens for integers.
at::Tensor Sum(const at::Tensor& x, Axes axes, bool keep) {
  return at::sum(x, axes, keep, x.scalar_type());
}

at::Tensor SumOfMagnitudes(const at::Tensor& x, Axes axes, bool keep) {
  return Sum(at::abs(x), axes, keep);
}

// Has gradient 0 at 0, where sqrt(sum(x * x)) has none.
at::Tensor EuclideanNorm(const at::Tensor& x, Axes axes, bool keep) {
  const at::Tensor real = x.is_floating_point() ? x : x.to(at::kDouble);
  return at::linalg_vector_norm(real, 2, axes, keep).to(x.scalar_type());
}

at::Tensor Product(const at::Tensor& x, Axes axes, bool keep) {
  at::Tensor y = x;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    y = at::prod(y, *axis, keep, x.scalar_type());
  }
  return y;
}

at::Tensor LogOfSum(const at::Tensor& x, Axes axes, bool keep) {
  return at::log(Sum(x, axes, keep));
}

at::Tensor SumOfSquares(const at::Tensor& x, Axes axes, bool keep) {
  return Sum(at::mul(x, x), axes, keep);
}

at::Tensor Largest(const at::Tensor& x, Axes axes, bool keep) {
  return x.dim() == 0 ? x : at::amax(x, axes, keep);
}

at::Tensor Smallest(const at::Tensor& x, Axes axes, bool keep) {
  return x.dim() == 0 ? x : at::amin(x, axes, keep);
}

at::Tensor LogSumExp(const at::Tensor& x, Axes axes, bool keep) {
  return at::logsumexp(x, axes, keep);
}

// Index of the largest (smallest) element; of equal ones the first, or the last if asked for.
template <bool largest>
at::Tensor IndexOf(const Node& node, const at::Tensor& x) {
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", 0), x.dim());
  const bool last = node.Int("select_last_index", 0) != 0;
  const bool keep = node.Int("keepdims", 1) != 0;
  const at::Tensor line = last ? x.flip(axis) : x;
  const at::Tensor index = largest ? at::argmax(line, axis, keep) : at::argmin(line, axis, keep);
  return last ? at::rsub(index, x.size(axis) - 1) : index;
}

OperatorDef IndexReduction(absl::string_view op, Function evaluate) {
  return {.op = op,
          .attributes = {{"axis", AttributeKind::kInt},
                         {"keepdims", AttributeKind::kInt},
                         {"select_last_index", AttributeKind::kInt}},
          .validate =
              [](const Node& node) {
                QUANTRY_RETURN_IF_ERROR(CheckAxis(node, "axis"));
                QUANTRY_RETURN_IF_ERROR(CheckInt(node, "keepdims", 0, 1));
                return CheckInt(node, "select_last_index", 0, 1);
              },
          .evaluate = evaluate};
}

}  // namespace

extern const OperatorDef kArgMaxOperator = IndexReduction("ArgMax", UnaryOf<IndexOf<true>>);
extern const OperatorDef kArgMinOperator = IndexReduction("ArgMin", UnaryOf<IndexOf<false>>);
extern const OperatorDef kReduceL1Operator = Reduction("ReduceL1", Along<SumOfMagnitudes>);
extern const OperatorDef kReduceL2Operator = Reduction("ReduceL2", Along<EuclideanNorm>);
extern const OperatorDef kReduceLogSumOperator = Reduction("ReduceLogSum", Along<LogOfSum>);
extern const OperatorDef kReduceLogSumExpOperator = Reduction("ReduceLogSumExp", Along<LogSumExp>);
extern const OperatorDef kReduceMaxOperator = Reduction("ReduceMax", Along<Largest>);
extern const OperatorDef kReduceMinOperator = Reduction("ReduceMin", Along<Smallest>);
extern const OperatorDef kReduceProdOperator = Reduction("ReduceProd", Along<Product>);
extern const OperatorDef kReduceSumOperator = Reduction("ReduceSum", Along<Sum>, AxesToInput<12>);
extern const OperatorDef kReduceSumSquareOperator =
    Reduction("ReduceSumSquare", Along<SumOfSquares>);

}  // namespace quantry::engine
