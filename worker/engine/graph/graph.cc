#include "worker/engine/graph/graph.h"

#include <algorithm>
#include <cassert>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

void EraseUse(std::vector<Use>& uses, const Use& use) {
  const auto found = std::find(uses.begin(), uses.end(), use);
  assert(found != uses.end());
  uses.erase(found);
}

// What the graph outputs depend on.
std::unordered_set<const Node*> LiveNodes(const std::vector<Value*>& outputs) {
  std::unordered_set<const Node*> live;
  std::vector<const Value*> pending(outputs.begin(), outputs.end());
  while (!pending.empty()) {
    const Value* value = pending.back();
    pending.pop_back();
    if (value == nullptr || value->producer() == nullptr) continue;
    if (!live.insert(value->producer()).second) continue;
    const std::vector<Value*>& inputs = value->producer()->inputs();
    pending.insert(pending.end(), inputs.begin(), inputs.end());
  }
  return live;
}

}  // namespace

Graph Graph::Clone() const {
  Graph copy;
  copy.name = name;
  copy.doc = doc;
  copy.next_name_ = next_name_;
  std::unordered_map<const Value*, Value*> values;
  for (const auto& [value_name, value] : values_) {
    auto twin = std::make_unique<Value>();
    twin->name_ = value->name_;
    twin->type = value->type;
    twin->role_ = value->role_;
    if (value->is_initializer()) {
      twin->tensor_ = value->tensor_.detach().clone();
      twin->tensor_.set_requires_grad(value->tensor_.requires_grad());
    }
    values[value.get()] = twin.get();
    copy.values_[value_name] = std::move(twin);
  }
  for (const std::unique_ptr<Node>& node : nodes_) {
    auto twin = std::make_unique<Node>();
    twin->op_ = node->op_;
    twin->name_ = node->name_;
    twin->attributes = node->attributes;
    for (size_t i = 0; i < node->inputs_.size(); ++i) {
      Value* input = node->inputs_[i] == nullptr ? nullptr : values.at(node->inputs_[i]);
      twin->inputs_.push_back(input);
      if (input != nullptr) input->uses_.push_back({twin.get(), i});
    }
    for (const Value* output : node->outputs_) {
      twin->outputs_.push_back(values.at(output));
      values.at(output)->producer_ = twin.get();
    }
    copy.node_names_[twin->name_] = twin.get();
    copy.nodes_.push_back(std::move(twin));
  }
  for (const Value* input : inputs_) copy.inputs_.push_back(values.at(input));
  for (const Value* output : outputs_) copy.outputs_.push_back(values.at(output));
  return copy;
}

std::string Graph::FreeName(absl::string_view wanted, bool for_node) {
  const auto taken = [&](const std::string& candidate) {
    return for_node ? node_names_.contains(candidate) : values_.contains(candidate);
  };
  std::string candidate(wanted);
  if (wanted.empty()) {
    do {
      candidate = absl::StrCat(for_node ? "node" : "value", next_name_++);
    } while (taken(candidate));
    return candidate;
  }
  for (int64_t suffix = 1; taken(candidate); ++suffix) {
    candidate = absl::StrCat(wanted, "_", suffix);
  }
  return candidate;
}

Value* Graph::NewValue(absl::string_view wanted) {
  auto owned = std::make_unique<Value>();
  Value* value = owned.get();
  value->name_ = FreeName(wanted, /*for_node=*/false);
  values_[value->name_] = std::move(owned);
  return value;
}

Value* Graph::AddInput(absl::string_view wanted, ValueType type) {
  Value* value = NewValue(wanted);
  value->type = std::move(type);
  inputs_.push_back(value);
  return value;
}

Value* Graph::AddInitializer(absl::string_view wanted, at::Tensor tensor, InitializerRole role) {
  assert(tensor.defined());
  Value* value = NewValue(wanted);
  value->role_ = role;
  SetTensor(value, std::move(tensor));
  return value;
}

Node* Graph::AddNode(absl::string_view op, absl::string_view wanted, std::vector<Value*> inputs,
                     AttributeMap attributes, std::vector<std::string> output_names) {
  auto owned = std::make_unique<Node>();
  Node* node = owned.get();
  node->op_ = std::string(op);
  node->name_ = FreeName(wanted, /*for_node=*/true);
  node->attributes = std::move(attributes);
  node->inputs_ = std::move(inputs);
  for (size_t i = 0; i < node->inputs_.size(); ++i) {
    if (node->inputs_[i] != nullptr) node->inputs_[i]->uses_.push_back({node, i});
  }
  for (const std::string& output_name : output_names) {
    Value* value = NewValue(output_name.empty() ? node->name_ : output_name);
    value->producer_ = node;
    node->outputs_.push_back(value);
  }
  node_names_[node->name_] = node;
  nodes_.push_back(std::move(owned));
  return node;
}

void Graph::AddOutput(Value* value) { outputs_.push_back(value); }

std::vector<Node*> Graph::nodes() const {
  std::vector<Node*> result;
  result.reserve(nodes_.size());
  for (const std::unique_ptr<Node>& node : nodes_) result.push_back(node.get());
  return result;
}

std::vector<Value*> Graph::initializers() const {
  std::vector<Value*> result;
  for (const auto& [value_name, value] : values_) {
    if (value->is_initializer()) result.push_back(value.get());
  }
  return result;
}

std::vector<Value*> Graph::initializers(InitializerRole role) const {
  std::vector<Value*> result = initializers();
  std::erase_if(result, [&](const Value* value) { return value->role() != role; });
  return result;
}

Value* Graph::FindValue(absl::string_view wanted) const {
  const auto found = values_.find(std::string(wanted));
  return found == values_.end() ? nullptr : found->second.get();
}

Node* Graph::FindNode(absl::string_view wanted) const {
  const auto found = node_names_.find(std::string(wanted));
  return found == node_names_.end() ? nullptr : found->second;
}

int64_t Graph::ParameterCount() const {
  int64_t count = 0;
  for (const Value* value : initializers(InitializerRole::kParameter)) {
    count += value->tensor().numel();
  }
  return count;
}

void Graph::SetInput(Node* node, size_t index, Value* value) {
  if (index >= node->inputs_.size()) node->inputs_.resize(index + 1, nullptr);
  Value*& slot = node->inputs_[index];
  if (slot != nullptr) EraseUse(slot->uses_, {node, index});
  slot = value;
  if (value != nullptr) value->uses_.push_back({node, index});
}

void Graph::ReplaceAllUses(Value* from, Value* to, const Node* except) {
  if (from == to) return;
  const std::vector<Use> uses = from->uses_;
  for (const Use& use : uses) {
    if (use.node != except) SetInput(use.node, use.index, to);
  }
  std::replace(outputs_.begin(), outputs_.end(), from, to);
}

void Graph::SetTensor(Value* initializer, at::Tensor tensor) {
  initializer->type = TypeOf(tensor);
  initializer->tensor_ = std::move(tensor);
}

void Graph::SetRole(Value* initializer, InitializerRole role) { initializer->role_ = role; }

void Graph::SetOp(Node* node, absl::string_view op) { node->op_ = std::string(op); }

void Graph::Rename(Value* value, absl::string_view wanted) {
  if (value->name_ == wanted) return;
  const auto move_to = [&](Value* moved, std::string new_name) {
    auto entry = values_.extract(moved->name_);
    moved->name_ = new_name;
    entry.key() = std::move(new_name);
    values_.insert(std::move(entry));
  };
  if (Value* holder = FindValue(wanted)) move_to(holder, FreeName(wanted, /*for_node=*/false));
  move_to(value, std::string(wanted));
}

void Graph::Forget(Node* node) {
  for (size_t i = 0; i < node->inputs_.size(); ++i) SetInput(node, i, nullptr);
  for (const Value* output : node->outputs_) values_.erase(values_.find(output->name()));
  node_names_.erase(node_names_.find(node->name_));
}

void Graph::RemoveNode(Node* node) {
  for ([[maybe_unused]] const Value* output : node->outputs_) {
    assert(output->uses().empty());
    assert(std::find(outputs_.begin(), outputs_.end(), output) == outputs_.end());
  }
  Forget(node);
  std::erase_if(nodes_, [&](const auto& candidate) { return candidate.get() == node; });
}

void Graph::RemoveDead() {
  const std::unordered_set<const Node*> live = LiveNodes(outputs_);
  for (const std::unique_ptr<Node>& node : nodes_) {
    if (live.contains(node.get())) continue;
    for (size_t i = 0; i < node->inputs_.size(); ++i) SetInput(node.get(), i, nullptr);
  }
  for (const std::unique_ptr<Node>& node : nodes_) {
    if (!live.contains(node.get())) Forget(node.get());
  }
  std::erase_if(nodes_, [&](const auto& node) { return !live.contains(node.get()); });
  std::erase_if(values_, [&](const auto& entry) {
    Value* value = entry.second.get();
    return value->is_initializer() && value->uses_.empty() &&
           std::find(outputs_.begin(), outputs_.end(), value) == outputs_.end();
  });
}

}  // namespace quantry::engine
