#include "worker/engine/import/graph_part.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace quantry::engine {
namespace {

bool LooksAtShapeOnly(const onnx::NodeProto& node) {
  return node.domain().empty() && (node.op_type() == "Shape" || node.op_type() == "Size");
}

bool HasSubGraph(const onnx::NodeProto& node) {
  return std::any_of(node.attribute().begin(), node.attribute().end(),
                     [](const auto& attribute) { return attribute.has_g(); });
}

}  // namespace

GraphParts::GraphParts(const onnx::GraphProto& graph) : graph_(graph) {
  for (const onnx::NodeProto& node : graph_.node()) {
    for (const std::string& output : node.output()) producers_.emplace(output, &node);
  }
  for (const onnx::TensorProto& tensor : graph_.initializer()) {
    initializers_.emplace(tensor.name(), &tensor);
  }
  for (const auto* list : {&graph_.input(), &graph_.value_info(), &graph_.output()}) {
    for (const onnx::ValueInfoProto& info : *list) types_.emplace(info.name(), &info);
  }
}

std::optional<onnx::ValueInfoProto> GraphParts::TypeOf(const std::string& value) const {
  const auto initializer = initializers_.find(value);
  if (initializer != initializers_.end()) {
    onnx::ValueInfoProto info;
    info.set_name(value);
    auto* type = info.mutable_type()->mutable_tensor_type();
    type->set_elem_type(initializer->second->data_type());
    type->mutable_shape();
    for (const int64_t dim : initializer->second->dims()) {
      type->mutable_shape()->add_dim()->set_dim_value(dim);
    }
    return info;
  }
  const auto declared = types_.find(value);
  if (declared == types_.end()) return std::nullopt;
  return *declared->second;
}

std::optional<onnx::GraphProto> GraphParts::Behind(const std::string& value) const {
  onnx::GraphProto part;
  absl::flat_hash_set<std::string> seen, typed;
  std::vector<std::string> open = {value};
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (name.empty() || !seen.insert(name).second) continue;
    const auto initializer = initializers_.find(name);
    if (initializer != initializers_.end()) {
      *part.add_initializer() = *initializer->second;
      continue;
    }
    const auto producer = producers_.find(name);
    if (producer == producers_.end() || HasSubGraph(*producer->second)) return std::nullopt;
    const onnx::NodeProto& node = *producer->second;
    for (const std::string& output : node.output()) seen.insert(output);
    *part.add_node() = node;
    if (!LooksAtShapeOnly(node)) {
      open.insert(open.end(), node.input().begin(), node.input().end());
      continue;
    }
    for (const std::string& input : node.input()) {
      const auto type = TypeOf(input);
      if (!type) return std::nullopt;
      if (typed.insert(input).second) *part.add_input() = *type;
    }
  }
  // What is there as a whole needs no declaration.
  auto* inputs = part.mutable_input();
  for (int i = inputs->size() - 1; i >= 0; --i) {
    if (seen.contains(inputs->Get(i).name())) inputs->DeleteSubrange(i, 1);
  }
  return part;
}

}  // namespace quantry::engine
