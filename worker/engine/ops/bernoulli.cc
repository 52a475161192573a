#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/distributed/batch_share.h"
#include "worker/engine/ops/onnx_dtype.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// In [0, 1), of the shape of x. Of a part of a batch: the rows that the whole batch has for it.
at::Tensor Uniform(const at::Tensor& x, const EvaluateContext& context) {
  std::vector<int64_t> sizes = x.sizes().vec();
  const BatchShare* share = context.share;
  const bool part = share != nullptr && x.dim() > 0 && x.size(0) == share->rows;
  if (part) sizes[0] = share->all_rows;
  const at::Tensor all = at::empty(sizes, x.options().requires_grad(false));
  all.uniform_(0.0, 1.0, context.generator);
  return part ? all.narrow(0, share->first, share->rows) : all;
}

// 1 with the probability that x says, else 0, in phase kTrain. In the others its mean, which is x:
// what is made of it (stochastic depth, dropout written by hand), Bernoulli(p) / p, then changes
// nothing, as it should once trained.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const at::Tensor& x = inputs[0];
  const auto dtype = node.HasAttribute("dtype") ? DtypeOf(node.Int("dtype", 1)).value_or(at::kFloat)
                                                : x.scalar_type();
  if (context.phase != RunPhase::kTrain) return {x.to(dtype)};
  return {at::lt(Uniform(x, context), x).to(dtype)};
}

// The run's own seed decides.
absl::Status Upgrade(Graph&, Node& node, int64_t) {
  node.attributes.erase("seed");
  return absl::OkStatus();
}

}  // namespace

extern const OperatorDef kBernoulliOperator = {
    .op = "Bernoulli",
    .attributes = {{"dtype", AttributeKind::kInt}},
    .validate = [](const Node& node) { return CheckDtype(node, "dtype"); },
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
