#include "worker/engine/fuse/activation_nodes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantry::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool IsScalar(const Value* value) {
  return value != nullptr && value->is_initializer() && value->tensor().numel() == 1 &&
         value->tensor().scalar_type() == at::kFloat;
}

bool IsBound(const Value* value) { return value == nullptr || IsScalar(value); }

// A constant of that value, up to the digits that exporters write.
bool IsConstant(const Value* value, double wanted) {
  return IsScalar(value) && value->role() == InitializerRole::kConstant &&
         std::abs(value->tensor().item<double>() - wanted) < 1e-5;
}

bool IsActivation(const Node& node) {
  if (node.op() == "Clip") return IsBound(node.input(1)) && IsBound(node.input(2));
  for (const char* op : {"Relu", "HardSwish", "HardSigmoid", "Sigmoid", "Gelu", "LeakyRelu"}) {
    if (node.op() == op) return true;
  }
  return false;
}

// Steps from a value to the next one along nodes that nobody else reads.
class Walk {
 public:
  Walk(const Graph& graph, const Value& start) : graph_(graph), value_(&start) {}

  // To what the node of operator `op` makes that alone reads the value; if it has two inputs,
  // `fits` is to be true of the other one. False if there is none.
  template <typename Fits>
  bool Step(const char* op, const Fits& fits) {
    size_t index = 0;
    const Node* node = OnlyReader(graph_, *value_, &index);
    if (node == nullptr || node->op() != op) return false;
    if (node->inputs().size() == 2 && !fits(node->input(1 - index))) return false;
    Take(node);
    return true;
  }
  void Take(const Node* node) {
    nodes_.push_back(node);
    value_ = node->output();
  }

  std::vector<const Node*> nodes() const { return nodes_; }

 private:
  const Graph& graph_;
  const Value* value_;
  std::vector<const Node*> nodes_;
};

// The two readers of a value that is read twice: that with operator `first` and the other one.
struct TwoReaders {
  const Node* first = nullptr;
  const Node* second = nullptr;
};

TwoReaders ReadersOf(const Graph& graph, const Value& value, const char* first) {
  const auto& outputs = graph.outputs();
  if (value.uses().size() != 2) return {};
  if (std::find(outputs.begin(), outputs.end(), &value) != outputs.end()) return {};
  for (size_t i = 0; i < 2; ++i) {
    const Node* node = value.uses()[i].node;
    if (node->op() == first) return {node, value.uses()[1 - i].node};
  }
  return {};
}

std::vector<const Node*> MatchSilu(const Graph& graph, const Value& value) {
  const TwoReaders readers = ReadersOf(graph, value, "Sigmoid");
  if (readers.first == nullptr || readers.second->op() != "Mul") return {};
  Walk walk(graph, value);
  walk.Take(readers.first);
  const auto times_value = [&](const Value* other) { return other == &value; };
  return walk.Step("Mul", times_value) ? walk.nodes() : std::vector<const Node*>();
}

std::vector<const Node*> MatchGelu(const Graph& graph, const Value& value) {
  const TwoReaders readers = ReadersOf(graph, value, "Div");
  if (readers.first == nullptr || readers.second->op() != "Mul") return {};
  if (readers.first->input(0) != &value || !IsConstant(readers.first->input(1), M_SQRT2)) return {};
  Walk walk(graph, value);
  walk.Take(readers.first);
  const auto times_value = [&](const Value* other) { return other == &value; };
  const auto one = [](const Value* other) { return IsConstant(other, 1); };
  const auto half = [](const Value* other) { return IsConstant(other, 0.5); };
  const bool is_gelu = walk.Step("Erf", one) && walk.Step("Add", one) &&
                       walk.Step("Mul", times_value) && walk.Step("Mul", half);
  return is_gelu ? walk.nodes() : std::vector<const Node*>();
}

float BoundOr(const Value* value, float fallback) {
  return value == nullptr ? fallback : value->tensor().item<float>();
}

void SetClamp(const Node& node, ElementwiseChain& chain) {
  const bool relu = node.op() == "Relu";
  chain.low = relu ? 0.0f : BoundOr(node.input(1), -kInfinity);
  chain.high = relu ? kInfinity : BoundOr(node.input(2), kInfinity);
  // As torch's relu and hardtanh, which stands for a Clip with both bounds: no gradient at a bound.
  const bool open = relu || (chain.low != -kInfinity && chain.high != kInfinity);
  chain.gradient_low = open ? std::nextafter(chain.low, kInfinity) : chain.low;
  chain.gradient_high = open ? std::nextafter(chain.high, -kInfinity) : chain.high;
}

ChainActivation CurveOf(const std::vector<const Node*>& nodes) {
  const Node& first = *nodes[0];
  if (first.op() == "HardSwish") return ChainActivation::kHardSwish;
  if (first.op() == "HardSigmoid") return ChainActivation::kHardSigmoid;
  if (first.op() == "LeakyRelu") return ChainActivation::kLeakyRelu;
  if (first.op() == "Sigmoid") {
    return nodes.size() == 1 ? ChainActivation::kSigmoid : ChainActivation::kSilu;
  }
  const bool approximate = first.op() == "Gelu" && first.String("approximate", "none") == "tanh";
  return approximate ? ChainActivation::kGeluTanh : ChainActivation::kGelu;
}

}  // namespace

std::vector<const Node*> MatchActivation(const Graph& graph, const Value& value, const Node* reader,
                                         const absl::flat_hash_set<const Node*>& taken) {
  std::vector<const Node*> nodes = MatchSilu(graph, value);
  if (nodes.empty()) nodes = MatchGelu(graph, value);
  if (nodes.empty() && reader != nullptr && reader->input(0) == &value && IsActivation(*reader)) {
    nodes = {reader};
  }
  const auto is_taken = [&](const Node* node) { return taken.contains(node); };
  if (std::any_of(nodes.begin(), nodes.end(), is_taken)) return {};
  return nodes;
}

void SetActivation(const std::vector<const Node*>& nodes, ElementwiseChain& chain) {
  if (nodes.empty()) return;
  const Node& first = *nodes[0];
  if (first.op() == "Relu" || first.op() == "Clip") return SetClamp(first, chain);
  chain.activation = CurveOf(nodes);
  if (chain.activation == ChainActivation::kHardSigmoid) {
    chain.slope = first.Float("alpha", 0.2f);
    chain.offset = first.Float("beta", 0.5f);
  }
  if (chain.activation == ChainActivation::kLeakyRelu) chain.slope = first.Float("alpha", 0.01f);
}

const Node* OnlyReader(const Graph& graph, const Value& value, size_t* index) {
  const auto& outputs = graph.outputs();
  if (value.uses().size() != 1) return nullptr;
  if (std::find(outputs.begin(), outputs.end(), &value) != outputs.end()) return nullptr;
  *index = value.uses()[0].index;
  return value.uses()[0].node;
}

}  // namespace quantry::engine
