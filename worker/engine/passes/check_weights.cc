#include "worker/engine/passes/check_weights.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

absl::Status NotFinite(const Value& weight) {
  const at::Tensor flat = weight.tensor().detach().reshape({-1});
  const at::Tensor wrong = at::nonzero(at::logical_not(at::isfinite(flat))).reshape({-1});
  const auto first = wrong[0].item<int64_t>();
  const bool nan = std::isnan(flat[first].item<double>());
  const Node* reader = weight.uses().empty() ? nullptr : weight.uses()[0].node;
  return absl::InvalidArgumentError(absl::StrCat(
      "weight '", weight.name(), "'",
      reader == nullptr ? std::string()
                        : absl::StrCat(" of node '", reader->name(), "' (", reader->op(), ")"),
      " has ", wrong.numel(), " of ", flat.numel(),
      " elements that are NaN or infinite; the first, ", first, ", is ", nan ? "NaN" : "infinite",
      ". Such a model can't be quantized; export it from a checkpoint that did not diverge"));
}

}  // namespace

absl::Status CheckWeights(const Graph& graph) {
  for (const Value* weight : graph.initializers()) {
    if (weight->role() == InitializerRole::kConstant || !weight->tensor().is_floating_point()) {
      continue;
    }
    if (!at::isfinite(weight->tensor()).all().item<bool>()) return NotFinite(*weight);
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
