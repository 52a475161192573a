#include "worker/engine/evaluate/not_finite.h"

#include <ATen/ATen.h>

#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr absl::string_view kPayload = "quantry/not_finite";

// "NaN", "infinity", or empty if all is finite.
std::string WhatIsWrong(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_floating_point()) return "";
  if (tensor.isnan().any().item<bool>()) return "NaN";
  if (tensor.isinf().any().item<bool>()) return "infinity";
  return "";
}

// What a node's output or, as its cause, one of its weights has.
std::string Describe(const Node& node, absl::Span<const at::Tensor> inputs,
                     absl::Span<const at::Tensor> outputs) {
  for (const at::Tensor& output : outputs) {
    const std::string wrong = WhatIsWrong(output);
    if (wrong.empty()) continue;
    std::string text =
        absl::StrCat("the first layer with ", wrong, " is '", node.name(), "' (", node.op(), ")");
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (WhatIsWrong(inputs[i]).empty() || node.input(i) == nullptr) continue;
      absl::StrAppend(&text, ", whose input '", node.input(i)->name(), "' already has it");
      break;
    }
    return text;
  }
  return "";
}

absl::Status NotFinite(absl::string_view what, absl::string_view found, absl::string_view advice) {
  absl::Status status =
      absl::FailedPreconditionError(absl::StrCat(what, ": ", found, "; ", advice));
  status.SetPayload(kPayload, absl::Cord("1"));
  return status;
}

// One look at all gradients at once: their sums.
bool AllGradientsFinite(const Graph& graph) {
  std::vector<at::Tensor> sums;
  for (const Value* parameter : graph.initializers(InitializerRole::kParameter)) {
    const at::Tensor& gradient = parameter->tensor().grad();
    if (gradient.defined()) sums.push_back(gradient.sum());
  }
  return sums.empty() || at::stack(sums).isfinite().all().item<bool>();
}

}  // namespace

absl::Status ExplainNotFinite(const Executor& executor, absl::Span<const at::Tensor> batch,
                              const EvaluateContext& context, absl::string_view what,
                              absl::string_view advice) {
  const at::NoGradGuard no_grad;
  std::string found;
  const Executor::NodeHook look = [&found](const Node& node, absl::Span<const at::Tensor> inputs,
                                           absl::Span<const at::Tensor> outputs) {
    found = Describe(node, inputs, outputs);
    return found.empty() ? absl::OkStatus() : absl::AbortedError("found");
  };
  const auto rerun = executor.Run(batch, context, look);
  if (found.empty() && !rerun.ok()) return rerun.status();
  return NotFinite(what, found.empty() ? "every layer is finite, only the loss is not" : found,
                   advice);
}

absl::Status CheckGradientsFinite(const Graph& graph, absl::string_view what,
                                  absl::string_view advice) {
  const at::NoGradGuard no_grad;
  if (AllGradientsFinite(graph)) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  for (auto node = order.rbegin(); node != order.rend(); ++node) {
    for (const Value* input : (*node)->inputs()) {
      if (input == nullptr || !input->is_initializer()) continue;
      const std::string wrong = WhatIsWrong(input->tensor().grad());
      if (wrong.empty()) continue;
      return NotFinite(
          what,
          absl::StrCat("backward first gives ", wrong, " in the gradient of '", input->name(),
                       "' of '", (*node)->name(), "' (", (*node)->op(), ")"),
          advice);
    }
  }
  return absl::OkStatus();  // finite values whose sum is not: nothing to stop for
}

bool IsNotFinite(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

}  // namespace quantry::engine
