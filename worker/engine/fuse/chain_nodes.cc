#include "worker/engine/fuse/chain_nodes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/engine/fuse/activation_nodes.h"
#include "worker/engine/ops/batch_normalization.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

// All inputs but the first are initializers, or left out.
bool HasOwnState(const Node& node) {
  return std::all_of(node.inputs().begin() + 1, node.inputs().end(), [](const Value* value) {
    return value == nullptr || value->is_initializer();
  });
}

bool IsNorm(const Node& node) { return node.op() == "BatchNormalization" && HasOwnState(node); }

bool IsGrid(const Node& node) {
  return node.op() == kFakeQuantizeOp && HasOwnState(node) && NeedsOnlyRange(SpecOf(node));
}

bool IsAdd(const Node& node) {
  return node.op() == "Add" && node.input(0) != node.input(1) && !node.input(0)->is_initializer() &&
         !node.input(1)->is_initializer();
}

// The vector that an Add adds along the last axis of its other input; null if it does not. (How
// many elements that axis has is known in a run.)
const Value* BiasOf(const Node& node) {
  if (node.op() != "Add") return nullptr;
  for (const Value* value : {node.input(0), node.input(1)}) {
    if (value->is_initializer() && value->tensor().dim() == 1) return value;
  }
  return nullptr;
}

// Walks from node to node as long as a value has one reader.
class Matcher {
 public:
  Matcher(const Graph& graph, const Node* first, const absl::flat_hash_set<const Node*>& taken,
          size_t index)
      : graph_(graph), taken_(taken), node_(first), value_(first->input(index)) {
    chain_.x = value_;
  }

  ChainNodes Match() {
    if (node_ != nullptr && BiasOf(*node_) != nullptr) Take(chain_.bias);
    if (chain_.bias == nullptr && node_ != nullptr && IsNorm(*node_)) Take(chain_.norm);
    if (node_ != nullptr && IsGrid(*node_) && GoesOn()) Take(chain_.inner);
    if (node_ != nullptr && IsAdd(*node_)) {
      chain_.operand = node_->input(node_->input(0) == value_ ? 1 : 0);
      Take(chain_.add);
    }
    TakeActivation();
    if (node_ != nullptr && IsGrid(*node_)) Take(chain_.outer);
    return chain_;
  }

 private:
  void Take(const Node*& place) {
    place = node_;
    GoTo(node_->output());
  }
  // Here the value is what counts, since SiLU and GELU read it twice.
  void TakeActivation() {
    chain_.activation = MatchActivation(graph_, *value_, node_, taken_);
    if (!chain_.activation.empty()) GoTo(chain_.activation.back()->output());
  }
  void GoTo(const Value* value) {
    value_ = value;
    node_ = Reader(*value);
  }

  // Whether something follows the grid that it would be in the way of.
  bool GoesOn() const {
    const Value& value = *node_->output();
    const Node* after = Reader(value);
    return (after != nullptr && IsAdd(*after)) ||
           !MatchActivation(graph_, value, after, taken_).empty();
  }

  // Who goes on with `value`; null if that is not one node that works on it.
  const Node* Reader(const Value& value) const {
    size_t index = 0;
    const Node* node = OnlyReader(graph_, value, &index);
    if (node == nullptr || taken_.contains(node)) return nullptr;
    return index == 0 || node->op() == "Add" ? node : nullptr;
  }

  const Graph& graph_;
  const absl::flat_hash_set<const Node*>& taken_;
  const Node* node_;
  const Value* value_;
  ChainNodes chain_;
};

}  // namespace

std::vector<const Node*> ChainNodes::All() const {
  std::vector<const Node*> nodes;
  for (const Node* node : {bias, norm, inner, add}) {
    if (node != nullptr) nodes.push_back(node);
  }
  nodes.insert(nodes.end(), activation.begin(), activation.end());
  if (outer != nullptr) nodes.push_back(outer);
  return nodes;
}

const Value* ChainNodes::bias_vector() const { return bias == nullptr ? nullptr : BiasOf(*bias); }

ChainNodes MatchChain(const Graph& graph, const Node* first,
                      const absl::flat_hash_set<const Node*>& taken, size_t index) {
  if (taken.contains(first) || index >= first->inputs().size()) return {};
  if (const Value* bias = BiasOf(*first); bias != nullptr) index = first->input(0) == bias ? 1 : 0;
  if (first->input(index) == nullptr || (index != 0 && first->op() != "Add")) return {};
  return Matcher(graph, first, taken, index).Match();
}

}  // namespace quantry::engine
