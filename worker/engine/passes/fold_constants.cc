#include "worker/engine/passes/fold_constants.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxBroadcastElements = int64_t{1} << 24;

// Operators whose result is never larger than their inputs.
constexpr std::array<absl::string_view, 13> kMoving = {
    "Cast",  "Ceil",    "Concat", "Flatten", "Floor",     "Identity", "Neg",
    "Shape", "Reshape", "Slice",  "Squeeze", "Transpose", "Unsqueeze"};
// Operators whose result may have as many elements as the product of those of their inputs.
constexpr std::array<absl::string_view, 6> kBroadcasting = {"Add", "Div", "Gather",
                                                            "Mul", "Pow", "Sub"};

template <size_t n>
bool Contains(const std::array<absl::string_view, n>& list, absl::string_view op) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

bool AllConstant(const Node& node) {
  if (node.inputs().empty()) return false;
  return std::all_of(node.inputs().begin(), node.inputs().end(), [](const Value* input) {
    return input == nullptr ||
           (input->is_initializer() && input->role() == InitializerRole::kConstant);
  });
}

bool IsFoldable(const Node& node, const OperatorDef& def) {
  if (def.evaluate == nullptr || !AllConstant(node)) return false;
  if (Contains(kMoving, node.op())) return true;
  if (!Contains(kBroadcasting, node.op())) return false;
  int64_t elements = 1;
  for (const Value* input : node.inputs()) {
    if (input == nullptr) continue;
    const bool overflow = __builtin_mul_overflow(elements, input->tensor().numel(), &elements);
    if (overflow || elements > kMaxBroadcastElements) return false;
  }
  return true;
}

absl::StatusOr<at::Tensor> Evaluate(const Node& node, const OperatorDef& def) {
  const std::string context = absl::StrCat("node '", node.name(), "' (", node.op(), ")");
  QUANTRY_RETURN_IF_ERROR(WithContext(VerifyOperator(node, def), context));
  std::vector<at::Tensor> inputs;
  for (const Value* input : node.inputs()) {
    inputs.push_back(input == nullptr ? at::Tensor() : input->tensor());
  }
  try {
    return def.evaluate(node, inputs, EvaluateContext{}).at(0).contiguous().clone();
  } catch (const std::exception& error) {
    const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
    return absl::InvalidArgumentError(absl::StrCat(
        context, ": its constant inputs don't fit: ",
        torch_error == nullptr ? error.what() : torch_error->what_without_backtrace()));
  }
}

// What is known of the elements of a Shape node's output.
std::optional<std::vector<Dimension>> KnownSizes(const Node* node) {
  if (node == nullptr || node->op() != "Shape" || node->input(0) == nullptr) return std::nullopt;
  const auto& shape = node->input(0)->type.shape;
  if (!shape.has_value()) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  const auto bound = [rank](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const int64_t start = bound(node->Int("start", 0));
  const int64_t end = std::max(start, bound(node->Int("end", rank)));
  return std::vector<Dimension>(shape->begin() + start, shape->begin() + end);
}

std::optional<at::Tensor> ShapeOf(const Node& node) {
  const auto sizes = KnownSizes(&node);
  if (!sizes.has_value()) return std::nullopt;
  std::vector<int64_t> known;
  for (const Dimension& size : *sizes) {
    if (!size.has_value()) return std::nullopt;
    known.push_back(*size);
  }
  return at::tensor(known, at::kLong);
}

// Gather(Shape(x), constant index) where those sizes of x are known.
std::optional<at::Tensor> GatheredSizes(const Node& node) {
  if (node.op() != "Gather" || node.Int("axis", 0) != 0 || node.input(0) == nullptr) {
    return std::nullopt;
  }
  const auto sizes = KnownSizes(node.input(0)->producer());
  const auto indices = ConstantInts(node.input(1));
  if (!sizes.has_value() || !indices.has_value()) return std::nullopt;
  std::vector<int64_t> known;
  for (const int64_t index : *indices) {
    const auto count = static_cast<int64_t>(sizes->size());
    const int64_t at = index < 0 ? index + count : index;
    if (at < 0 || at >= count || !(*sizes)[static_cast<size_t>(at)].has_value()) {
      return std::nullopt;
    }
    known.push_back(*(*sizes)[static_cast<size_t>(at)]);
  }
  return at::tensor(known, at::kLong).reshape(node.input(1)->tensor().sizes());
}

}  // namespace

absl::Status FoldConstants(Graph& graph) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  for (Node* node : order) {
    if (node->outputs().size() != 1 || IsGraphOutput(graph, node->output())) continue;
    std::optional<at::Tensor> result = ShapeOf(*node);
    if (!result.has_value()) result = GatheredSizes(*node);
    const OperatorDef* def = FindOperator(node->op());
    if (!result.has_value() && def != nullptr && IsFoldable(*node, *def)) {
      QUANTRY_ASSIGN_OR_RETURN(result, Evaluate(*node, *def));
    }
    if (!result.has_value()) continue;
    const std::string name = node->output()->name();
    Value* constant = graph.AddInitializer(name, *result, InitializerRole::kConstant);
    graph.ReplaceAllUses(node->output(), constant);
    graph.RemoveNode(node);
    graph.Rename(constant, name);
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
