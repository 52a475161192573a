#include "worker/engine/graph/verify.h"

#include <algorithm>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

template <typename... Args>
absl::Status Broken(const Args&... args) {
  return absl::InternalError(absl::StrCat("graph: ", args...));
}

// Everything that a value of the graph can be found by.
std::vector<const Value*> AllValues(const Graph& graph) {
  std::vector<const Value*> values(graph.inputs().begin(), graph.inputs().end());
  for (const Value* value : graph.initializers()) values.push_back(value);
  for (const Node* node : graph.nodes()) {
    values.insert(values.end(), node->outputs().begin(), node->outputs().end());
  }
  return values;
}

absl::Status VerifyUses(const Value& value, const std::unordered_set<const Node*>& nodes) {
  for (const Use& use : value.uses()) {
    if (!nodes.contains(use.node)) {
      return Broken("value '", value.name(), "' is used by a node that is not in the graph");
    }
    if (use.node->input(use.index) != &value) {
      return Broken("value '", value.name(), "' has a use at input ", use.index, " of node '",
                    use.node->name(), "', which takes another value");
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyNode(const Node& node, const std::unordered_set<const Value*>& values) {
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Value* input = node.input(i);
    if (input == nullptr) continue;
    if (!values.contains(input)) {
      return Broken("node '", node.name(), "' takes an input ", i, " that is not in the graph");
    }
    if (std::count(input->uses().begin(), input->uses().end(), Use{const_cast<Node*>(&node), i}) !=
        1) {
      return Broken("value '", input->name(), "' doesn't know its use at input ", i, " of node '",
                    node.name(), "'");
    }
  }
  for (const Value* output : node.outputs()) {
    if (output->producer() != &node) {
      return Broken("output '", output->name(), "' of node '", node.name(),
                    "' names another producer");
    }
    if (output->is_initializer()) {
      return Broken("value '", output->name(), "' is an initializer and an output of node '",
                    node.name(), "'");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Verify(const Graph& graph) {
  const std::vector<const Value*> listed = AllValues(graph);
  const std::unordered_set<const Value*> values(listed.begin(), listed.end());
  if (values.size() != listed.size()) return Broken("a value has more than one origin");
  const std::vector<Node*> node_list = graph.nodes();
  const std::unordered_set<const Node*> nodes(node_list.begin(), node_list.end());
  for (const Value* value : listed) {
    if (graph.FindValue(value->name()) != value) {
      return Broken("value '", value->name(), "' is not found by its name");
    }
    if (value->producer() != nullptr && !nodes.contains(value->producer())) {
      return Broken("value '", value->name(), "' comes from a node that is not in the graph");
    }
    QUANTRY_RETURN_IF_ERROR(VerifyUses(*value, nodes));
  }
  for (const Node* node : node_list) {
    if (graph.FindNode(node->name()) != node) {
      return Broken("node '", node->name(), "' is not found by its name");
    }
    QUANTRY_RETURN_IF_ERROR(VerifyNode(*node, values));
  }
  if (graph.outputs().empty()) return Broken("there is no output");
  for (const Value* output : graph.outputs()) {
    if (output == nullptr || !values.contains(output)) return Broken("an output is dangling");
  }
  if (const auto order = graph.TopologicalOrder(); !order.ok()) {
    return Broken(order.status().message());
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
