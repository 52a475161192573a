#include "worker/engine/passes/flatten_reshapes.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

// i where `value` is the size of x along axis i >= 0, as Gather(Shape(x), i), a scalar behind
// Unsqueeze or a list of one.
std::optional<int64_t> AxisOfSize(const Value* value, const Value* x) {
  const Node* node = value == nullptr ? nullptr : value->producer();
  if (node != nullptr && node->op() == "Unsqueeze" && node->input(0) != nullptr) {
    node = node->input(0)->producer();
  }
  if (node == nullptr || node->op() != "Gather" || node->Int("axis", 0) != 0) return std::nullopt;
  const Node* shape = node->input(0) == nullptr ? nullptr : node->input(0)->producer();
  if (shape == nullptr || shape->op() != "Shape" || shape->input(0) != x) return std::nullopt;
  if (shape->Int("start", 0) != 0) return std::nullopt;
  const auto index = ConstantInts(node->input(1));
  if (!index.has_value() || index->size() != 1 || index->front() < 0) return std::nullopt;
  return index->front();
}

// The target of a Reshape of x as constants, 0 for sizes of x that stay in their place.
std::optional<std::vector<int64_t>> ResolveTarget(const Value* target, const Value* x) {
  if (const auto constant = ConstantInts(target); constant.has_value()) return constant;
  const Node* concat = target == nullptr ? nullptr : target->producer();
  if (concat == nullptr || concat->op() != "Concat") return std::nullopt;
  std::vector<int64_t> result;
  for (const Value* part : concat->inputs()) {
    if (const auto constant = ConstantInts(part); constant.has_value()) {
      result.insert(result.end(), constant->begin(), constant->end());
      continue;
    }
    const auto axis = AxisOfSize(part, x);
    if (!axis.has_value() || *axis != static_cast<int64_t>(result.size())) return std::nullopt;
    result.push_back(0);
  }
  return result;
}

void MakeFlatten(Graph& graph, Node* reshape) {
  const std::string name = reshape->output()->name();
  const ValueType type = reshape->output()->type;
  const std::string node_name = reshape->name();
  Value* x = reshape->input(0);
  Node* flatten = graph.AddNode("Flatten", node_name, {x}, {{"axis", int64_t{1}}});
  flatten->output()->type = type;
  graph.ReplaceAllUses(reshape->output(), flatten->output());
  graph.RemoveNode(reshape);
  graph.Rename(flatten->output(), name);
}

}  // namespace

void FlattenReshapes(Graph& graph) {
  for (Node* node : graph.nodes()) {
    if (node->op() != "Reshape" || node->inputs().size() != 2) continue;
    if (node->input(0) == nullptr || node->Int("allowzero", 0) != 0) continue;
    const auto target = ResolveTarget(node->input(1), node->input(0));
    if (!target.has_value()) continue;
    if (*target == std::vector<int64_t>{0, -1}) {
      MakeFlatten(graph, node);
    } else if (!node->input(1)->is_initializer()) {
      graph.SetInput(
          node, 1,
          graph.AddInitializer("", at::tensor(*target, at::kLong), InitializerRole::kConstant));
    }
  }
}

}  // namespace quantry::engine
