#include "worker/engine/fuse/chain_nodes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/engine/ops/batch_normalization.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

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

bool IsAdd(const Node& node) { return node.op() == "Add" && node.input(0) != node.input(1); }

bool IsBound(const Value* value) {
  return value == nullptr || (value->is_initializer() && value->tensor().numel() == 1 &&
                              value->tensor().scalar_type() == at::kFloat);
}

bool IsActivation(const Node& node) {
  if (node.op() == "Clip") return IsBound(node.input(1)) && IsBound(node.input(2));
  return node.op() == "Relu" || node.op() == "HardSwish";
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
    if (node_ != nullptr && IsNorm(*node_)) Take(chain_.norm);
    if (node_ != nullptr && IsGrid(*node_) && GoesOn()) Take(chain_.inner);
    if (node_ != nullptr && IsAdd(*node_)) {
      chain_.operand = node_->input(node_->input(0) == value_ ? 1 : 0);
      Take(chain_.add);
    }
    if (node_ != nullptr && IsActivation(*node_)) Take(chain_.activation);
    if (node_ != nullptr && IsGrid(*node_)) Take(chain_.outer);
    return chain_;
  }

 private:
  void Take(const Node*& place) {
    place = node_;
    value_ = node_->output();
    node_ = Reader(*value_);
  }

  // Whether something follows the grid that it would be in the way of.
  bool GoesOn() const {
    const Node* after = Reader(*node_->output());
    return after != nullptr && (IsAdd(*after) || IsActivation(*after));
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

float BoundOr(const Value* value, float fallback) {
  return value == nullptr ? fallback : value->tensor().item<float>();
}

}  // namespace

std::vector<const Node*> ChainNodes::All() const {
  std::vector<const Node*> nodes;
  for (const Node* node : {norm, inner, add, activation, outer}) {
    if (node != nullptr) nodes.push_back(node);
  }
  return nodes;
}

ChainNodes MatchChain(const Graph& graph, const Node* first,
                      const absl::flat_hash_set<const Node*>& taken, size_t index) {
  if (taken.contains(first) || index >= first->inputs().size()) return {};
  if (first->input(index) == nullptr || (index != 0 && first->op() != "Add")) return {};
  return Matcher(graph, first, taken, index).Match();
}

const Node* OnlyReader(const Graph& graph, const Value& value, size_t* index) {
  const auto& outputs = graph.outputs();
  if (value.uses().size() != 1) return nullptr;
  if (std::find(outputs.begin(), outputs.end(), &value) != outputs.end()) return nullptr;
  *index = value.uses()[0].index;
  return value.uses()[0].node;
}

void SetActivation(const Node* activation, ElementwiseChain& chain) {
  if (activation == nullptr) return;
  if (activation->op() == "HardSwish") {
    chain.activation = ChainActivation::kHardSwish;
    return;
  }
  const bool relu = activation->op() == "Relu";
  chain.low = relu ? 0.0f : BoundOr(activation->input(1), -kInfinity);
  chain.high = relu ? kInfinity : BoundOr(activation->input(2), kInfinity);
  // As torch's relu and hardtanh, which stands for a Clip with both bounds: no gradient at a bound.
  const bool open = relu || (chain.low != -kInfinity && chain.high != kInfinity);
  chain.gradient_low = open ? std::nextafter(chain.low, kInfinity) : chain.low;
  chain.gradient_high = open ? std::nextafter(chain.high, -kInfinity) : chain.high;
}

}  // namespace quantry::engine
