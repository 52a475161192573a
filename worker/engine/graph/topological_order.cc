#include <functional>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {
namespace {

// A node on a cycle, given that every waiting node has a waiting producer.
const Node* NodeOnCycle(const Node* start,
                        const std::unordered_map<const Node*, int64_t>& waiting) {
  std::unordered_set<const Node*> seen;
  const Node* node = start;
  while (seen.insert(node).second) {
    for (const Value* input : node->inputs()) {
      if (input == nullptr || input->producer() == nullptr) continue;
      const auto found = waiting.find(input->producer());
      if (found == waiting.end() || found->second == 0) continue;
      node = input->producer();
      break;
    }
  }
  return node;
}

}  // namespace

absl::StatusOr<std::vector<Node*>> Graph::TopologicalOrder() const {
  std::unordered_map<const Node*, int64_t> waiting;  // node -> inputs whose producer is to come
  std::unordered_map<const Node*, size_t> position;
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> free;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node* node = nodes_[i].get();
    position[node] = i;
    int64_t& count = waiting[node];
    for (const Value* input : node->inputs()) {
      if (input != nullptr && input->producer() != nullptr) ++count;
    }
    if (count == 0) free.push(i);
  }
  std::vector<Node*> order;
  order.reserve(nodes_.size());
  while (!free.empty()) {
    Node* node = nodes_[free.top()].get();
    free.pop();
    order.push_back(node);
    for (const Value* output : node->outputs()) {
      for (const Use& use : output->uses()) {
        if (--waiting.at(use.node) == 0) free.push(position.at(use.node));
      }
    }
  }
  if (order.size() == nodes_.size()) return order;
  for (const std::unique_ptr<Node>& node : nodes_) {
    if (waiting.at(node.get()) == 0) continue;
    const Node* culprit = NodeOnCycle(node.get(), waiting);
    return absl::FailedPreconditionError(
        absl::StrCat("node '", culprit->name(), "' (", culprit->op(), ") is on a cycle"));
  }
  return absl::InternalError("fewer nodes ordered than the graph has, yet none waits");
}

}  // namespace quantry::engine
