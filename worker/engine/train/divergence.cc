#include "worker/engine/train/divergence.h"

#include <ATen/ATen.h>

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

constexpr absl::string_view kPayload = "quantry/divergence";

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

}  // namespace

absl::Status DiagnoseDivergence(const Executor& executor, const at::Tensor& images,
                                const EvaluateContext& context, int64_t step) {
  const at::NoGradGuard no_grad;
  std::string found;
  const Executor::NodeHook look = [&found](const Node& node, absl::Span<const at::Tensor> inputs,
                                           absl::Span<const at::Tensor> outputs) {
    found = Describe(node, inputs, outputs);
    return found.empty() ? absl::OkStatus() : absl::AbortedError("found");
  };
  const auto rerun = executor.Run({images}, context, look);
  if (found.empty() && !rerun.ok()) return rerun.status();
  if (found.empty()) found = "every layer is finite, only the loss is not";
  absl::Status status = absl::FailedPreconditionError(
      absl::StrCat("training diverged: ", found, ", step ", step,
                   "; try a lower learning_rate, gradient_clip, or warmup_epochs"));
  status.SetPayload(kPayload, absl::Cord("1"));
  return status;
}

bool IsDivergence(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

}  // namespace quantry::engine
