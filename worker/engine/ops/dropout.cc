#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/distributed/batch_share.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

constexpr float kDefaultRatio = 0.5f;

double RatioOf(const at::Tensor& ratio) {
  return DecimalOf(ratio.defined() ? ratio.item<float>() : kDefaultRatio);
}

// Ones with probability `keep`, like x. Of a part of a batch: the rows that the whole batch's mask
// has for it.
at::Tensor DrawMask(const at::Tensor& x, double keep, const EvaluateContext& context) {
  const BatchShare* share = context.share;
  const auto options = x.options().requires_grad(false);
  if (share == nullptr || x.dim() == 0 || x.size(0) != share->rows) {
    return at::empty_like(x, options).bernoulli_(keep, context.generator);
  }
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[0] = share->all_rows;
  const at::Tensor all = at::empty(sizes, options.memory_format(x.suggest_memory_format()));
  return all.bernoulli_(keep, context.generator).narrow(0, share->first, share->rows);
}

// Drops in phase kTrain whatever the file says: the node stands where the network was trained with
// dropout.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const at::Tensor& x = inputs[0];
  // The mask, which hardly any file asks for.
  const auto kept = [&] {
    const bool asked = node.outputs().size() > 1;
    return asked ? at::ones_like(x, x.options().dtype(at::kBool)) : at::Tensor();
  };
  if (context.phase != RunPhase::kTrain) return FirstOutputs(node, {x, kept()});
  const double keep = 1.0 - RatioOf(inputs.size() > 1 ? inputs[1] : at::Tensor());
  if (keep == 1.0) return FirstOutputs(node, {x, kept()});
  if (keep == 0.0) return FirstOutputs(node, {at::zeros_like(x), at::zeros_like(x, at::kBool)});
  const at::Tensor mask = DrawMask(x, keep, context);
  return FirstOutputs(node, {at::mul(x, mask / keep), mask.to(at::kBool)});
}

absl::Status Validate(const Node& node) {
  const Value* ratio = node.input(1);
  if (ratio == nullptr || !ratio->is_initializer()) return absl::OkStatus();
  const at::Tensor& tensor = ratio->tensor();
  if (tensor.numel() != 1 || !tensor.is_floating_point()) {
    return absl::InvalidArgumentError("input 1 (ratio) must be one float");
  }
  const double value = tensor.item<double>();
  if (value >= 0.0 && value <= 1.0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("input 1 (ratio) is ", value, "; allowed are 0 to 1"));
}

// Up to opset 11 the ratio was an attribute; from 12 on an input says whether to drop, which the
// phase of the run decides here.
absl::Status Upgrade(Graph& graph, Node& node, int64_t opset) {
  node.attributes.erase("seed");
  if (node.input(2) != nullptr) graph.SetInput(&node, 2, nullptr);
  if (opset >= 12) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<float> ratio, TakeAttribute<float>(node, "ratio"));
  if (ratio) SetConstantInput(graph, node, 1, at::scalar_tensor(*ratio, at::kFloat));
  return absl::OkStatus();
}

}  // namespace

extern const OperatorDef kDropoutOperator = {
    .op = "Dropout",
    .min_inputs = 1,
    .max_inputs = 3,
    .max_outputs = 2,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
