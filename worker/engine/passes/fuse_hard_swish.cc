#include "worker/engine/passes/fuse_hard_swish.h"

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

bool Near(std::optional<float> value, float wanted) {
  return value.has_value() && std::abs(*value - wanted) <= 1e-6f * std::max(1.0f, wanted);
}

// The producer of `value` if it is an `op` and nothing else reads the value.
Node* OnlyProducer(const Graph& graph, const Value* value, absl::string_view op) {
  if (value == nullptr || value->producer() == nullptr || value->producer()->op() != op) {
    return nullptr;
  }
  return value->uses().size() == 1 && !IsGraphOutput(graph, value) ? value->producer() : nullptr;
}

// The operand beside operand `index`; null unless the node has two.
Value* Other(const Node& node, size_t index) {
  return node.inputs().size() == 2 ? node.input(1 - index) : nullptr;
}

// The nodes to remove, last first, and what the HardSwish reads.
struct Match {
  std::vector<Node*> nodes;
  Value* input = nullptr;
};

std::optional<Match> MatchHardSigmoid(const Graph& graph, Node* mul) {
  if (mul->op() != "Mul" || mul->inputs().size() != 2) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    Node* sigmoid = OnlyProducer(graph, mul->input(i), "HardSigmoid");
    Value* x = Other(*mul, i);
    if (sigmoid == nullptr || x == nullptr || sigmoid->input(0) != x) continue;
    if (!Near(sigmoid->Float("alpha", 0.2f), 1.0f / 6.0f)) continue;
    if (!Near(sigmoid->Float("beta", 0.5f), 0.5f)) continue;
    return Match{{mul, sigmoid}, x};
  }
  return std::nullopt;
}

// Clip(Add(x, 3), 0, 6); the nodes are appended to `nodes`.
Value* MatchClippedSum(const Graph& graph, Node* clip, std::vector<Node*>& nodes) {
  if (clip == nullptr || !Near(ConstantFloat(clip->input(1)), 0.0f) ||
      !Near(ConstantFloat(clip->input(2)), 6.0f)) {
    return nullptr;
  }
  Node* add = OnlyProducer(graph, clip->input(0), "Add");
  if (add == nullptr || add->inputs().size() != 2) return nullptr;
  for (size_t i = 0; i < 2; ++i) {
    if (!Near(ConstantFloat(add->input(i)), 3.0f)) continue;
    nodes.insert(nodes.end(), {clip, add});
    return Other(*add, i);
  }
  return nullptr;
}

std::optional<Match> MatchDividedProduct(const Graph& graph, Node* div) {
  if (div->op() != "Div" || div->inputs().size() != 2) return std::nullopt;
  if (!Near(ConstantFloat(div->input(1)), 6.0f)) return std::nullopt;
  Node* mul = OnlyProducer(graph, div->input(0), "Mul");
  if (mul == nullptr || mul->inputs().size() != 2) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    Match match{{div, mul}, Other(*mul, i)};
    Node* clip = OnlyProducer(graph, mul->input(i), "Clip");
    Value* x = MatchClippedSum(graph, clip, match.nodes);
    if (x != nullptr && x == match.input) return match;
  }
  return std::nullopt;
}

void Fuse(Graph& graph, const Match& match) {
  Node* last = match.nodes.front();
  const std::string value_name = last->output()->name();
  const ValueType type = last->output()->type;
  std::string node_name = last->name();
  if (absl::string_view stem = node_name; absl::ConsumeSuffix(&stem, last->op())) {
    node_name = absl::StrCat(stem, "HardSwish");
  }
  Node* fused = graph.AddNode("HardSwish", node_name, {match.input});
  fused->output()->type = type;
  graph.ReplaceAllUses(last->output(), fused->output());
  for (Node* node : match.nodes) graph.RemoveNode(node);
  graph.Rename(fused->output(), value_name);
}

}  // namespace

void FuseHardSwish(Graph& graph) {
  // Matches never overlap: every node of one but the first has its only reader inside.
  std::vector<Match> matches;
  for (Node* node : graph.nodes()) {
    std::optional<Match> match = MatchHardSigmoid(graph, node);
    if (!match.has_value()) match = MatchDividedProduct(graph, node);
    if (match.has_value()) matches.push_back(*std::move(match));
  }
  for (const Match& match : matches) Fuse(graph, match);
}

}  // namespace quantry::engine
