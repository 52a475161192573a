#include "worker/engine/import/build_graph.h"

#include <ATen/ATen.h>

#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/onnx_attribute.h"
#include "worker/engine/import/onnx_text.h"
#include "worker/engine/import/onnx_type.h"
#include "worker/engine/import/parse_model.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::string Describe(const onnx::NodeProto& node, int index) {
  const std::string name = node.name().empty() ? absl::StrCat("#", index) : node.name();
  return absl::StrCat("node '", ForMessage(name), "' (", ForMessage(QualifiedOp(node)), ")");
}

// The tensor of a Constant node, in whichever of its attributes it lies.
absl::StatusOr<at::Tensor> ConstantOf(const AttributeMap& attributes) {
  for (const auto& [name, attribute] : attributes) {
    if (const auto* tensor = std::get_if<at::Tensor>(&attribute)) return *tensor;
    if (const auto* number = std::get_if<float>(&attribute)) {
      return at::full({}, *number, at::kFloat);
    }
    if (const auto* number = std::get_if<int64_t>(&attribute)) {
      return at::full({}, *number, at::kLong);
    }
    if (const auto* list = std::get_if<std::vector<float>>(&attribute)) {
      return at::tensor(*list, at::kFloat);
    }
    if (const auto* list = std::get_if<std::vector<int64_t>>(&attribute)) {
      return at::tensor(*list, at::kLong);
    }
  }
  return absl::InvalidArgumentError("has no tensor or number as its value");
}

class GraphBuilder {
 public:
  GraphBuilder(const onnx::GraphProto& proto, OnnxTensorReader& tensors)
      : proto_(proto), tensors_(tensors) {}

  absl::StatusOr<Graph> Build() {
    graph_.name = ForMessage(proto_.name());
    QUANTRY_RETURN_IF_ERROR(AddInitializers());
    QUANTRY_RETURN_IF_ERROR(AddInputs());
    CollectUsedNames();
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<int> order, NodeOrder());
    for (const int index : order) {
      QUANTRY_RETURN_IF_ERROR(WithContext(AddNode(index), Describe(proto_.node(index), index)));
    }
    QUANTRY_RETURN_IF_ERROR(AddOutputs());
    QUANTRY_RETURN_IF_ERROR(AddDeclaredTypes());
    return std::move(graph_);
  }

 private:
  absl::Status Define(const std::string& name, Value* value) {
    if (!values_.emplace(name, value).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("value '", ForMessage(name), "' is defined twice"));
    }
    return absl::OkStatus();
  }

  absl::Status AddInitializers() {
    if (proto_.sparse_initializer_size() > 0) {
      return absl::InvalidArgumentError("sparse initializers are not supported");
    }
    for (const onnx::TensorProto& initializer : proto_.initializer()) {
      if (initializer.name().empty()) {
        return absl::InvalidArgumentError("an initializer has no name");
      }
      QUANTRY_RETURN_IF_ERROR(CheckName("initializer", initializer.name()));
      QUANTRY_ASSIGN_OR_RETURN(at::Tensor tensor, tensors_.Read(initializer));
      NoteFourBits(initializer.name(), initializer);
      QUANTRY_RETURN_IF_ERROR(
          Define(initializer.name(), graph_.AddInitializer(initializer.name(), std::move(tensor),
                                                           InitializerRole::kConstant)));
    }
    return absl::OkStatus();
  }

  absl::Status AddInputs() {
    absl::flat_hash_set<std::string> seen;
    for (const onnx::ValueInfoProto& input : proto_.input()) {
      if (input.name().empty()) return absl::InvalidArgumentError("a model input has no name");
      QUANTRY_RETURN_IF_ERROR(CheckName("model input", input.name()));
      if (!seen.insert(input.name()).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("value '", ForMessage(input.name()), "' is defined twice"));
      }
      // Before IR version 4 every initializer was listed as an input too.
      if (values_.contains(input.name())) continue;
      QUANTRY_ASSIGN_OR_RETURN(ValueType type, ValueTypeOf(input));
      QUANTRY_RETURN_IF_ERROR(Define(input.name(), graph_.AddInput(input.name(), std::move(type))));
    }
    return absl::OkStatus();
  }

  void NoteFourBits(const std::string& name, const onnx::TensorProto& tensor) {
    if (IsFourBits(tensor.data_type())) four_bits_.emplace(name, tensor.data_type());
  }

  // ATen has no type of four bits, so the quantizer itself must say what its zero point is.
  void KeepFourBits(const onnx::NodeProto& node, AttributeMap& attributes) const {
    if (QualifiedOp(node) != "QuantizeLinear" || node.input_size() < 3) return;
    const auto type = four_bits_.find(node.input(2));
    if (type != four_bits_.end()) attributes.emplace("output_dtype", int64_t{type->second});
  }

  void CollectUsedNames() {
    for (const onnx::NodeProto& node : proto_.node()) {
      used_.insert(node.input().begin(), node.input().end());
    }
    for (const onnx::ValueInfoProto& output : proto_.output()) used_.insert(output.name());
  }

  // Producers first; among free nodes the file's order (Kahn's algorithm).
  absl::StatusOr<std::vector<int>> NodeOrder() const {
    absl::flat_hash_map<absl::string_view, int> producers;
    for (int i = 0; i < proto_.node_size(); ++i) {
      for (const std::string& output : proto_.node(i).output()) producers.emplace(output, i);
    }
    const auto count = static_cast<size_t>(proto_.node_size());
    std::vector<std::vector<int>> consumers(count);
    std::vector<int> missing(count, 0);
    for (int i = 0; i < proto_.node_size(); ++i) {
      for (const std::string& input : proto_.node(i).input()) {
        const auto producer = producers.find(input);
        if (input.empty() || producer == producers.end()) continue;
        consumers[static_cast<size_t>(producer->second)].push_back(i);
        ++missing[static_cast<size_t>(i)];
      }
    }
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < proto_.node_size(); ++i) {
      if (missing[static_cast<size_t>(i)] == 0) ready.push(i);
    }
    std::vector<int> order;
    while (!ready.empty()) {
      const int next = ready.top();
      ready.pop();
      order.push_back(next);
      for (const int consumer : consumers[static_cast<size_t>(next)]) {
        if (--missing[static_cast<size_t>(consumer)] == 0) ready.push(consumer);
      }
    }
    if (order.size() == count) return order;
    int stuck = 0;
    while (missing[static_cast<size_t>(stuck)] == 0) ++stuck;
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(proto_.node(stuck), stuck), ": is on a cycle or behind one"));
  }

  absl::StatusOr<std::vector<Value*>> InputsOf(const onnx::NodeProto& node) const {
    std::vector<Value*> inputs;
    for (const std::string& name : node.input()) {
      if (name.empty()) {
        inputs.push_back(nullptr);
        continue;
      }
      const auto value = values_.find(name);
      if (value == values_.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("uses value '", ForMessage(name), "', which nothing makes"));
      }
      inputs.push_back(value->second);
    }
    while (!inputs.empty() && inputs.back() == nullptr) inputs.pop_back();
    return inputs;
  }

  // What of the outputs is made: all up to the last that someone uses or the operator demands.
  // Where there may be any number, as of Split, their number matters and all are.
  std::vector<std::string> OutputsOf(const onnx::NodeProto& node) const {
    std::vector<std::string> outputs(node.output().begin(), node.output().end());
    const OperatorDef* def = FindOperator(QualifiedOp(node));
    const auto least = static_cast<size_t>(def == nullptr ? 1 : def->min_outputs);
    constexpr int kMostOptional = 16;
    if (def != nullptr && def->max_outputs > kMostOptional) return outputs;
    while (outputs.size() > least && (outputs.back().empty() || !used_.contains(outputs.back()))) {
      outputs.pop_back();
    }
    return outputs;
  }

  absl::Status AddNode(int index) {
    const onnx::NodeProto& node = proto_.node(index);
    QUANTRY_RETURN_IF_ERROR(CheckName("node name", node.name()));
    QUANTRY_RETURN_IF_ERROR(CheckName("operator", QualifiedOp(node)));
    for (const std::string& output : node.output()) {
      QUANTRY_RETURN_IF_ERROR(CheckName("output", output));
    }
    QUANTRY_ASSIGN_OR_RETURN(AttributeMap attributes, ReadAttributes(node, tensors_));
    QUANTRY_ASSIGN_OR_RETURN(std::vector<Value*> inputs, InputsOf(node));
    const std::vector<std::string> outputs = OutputsOf(node);
    if (outputs.empty()) return absl::InvalidArgumentError("has no output");
    if (QualifiedOp(node) == "Constant") {
      QUANTRY_ASSIGN_OR_RETURN(at::Tensor tensor, ConstantOf(attributes));
      for (const auto& attribute : node.attribute()) NoteFourBits(outputs[0], attribute.t());
      return Define(outputs[0], graph_.AddInitializer(outputs[0], std::move(tensor),
                                                      InitializerRole::kConstant));
    }
    KeepFourBits(node, attributes);
    // ONNX does not ask for unique node names.
    const bool fresh = node.name().empty() || graph_.FindNode(node.name()) == nullptr;
    const std::string name = fresh ? node.name() : absl::StrCat(node.name(), "_", index);
    Node* added =
        graph_.AddNode(QualifiedOp(node), name, std::move(inputs), std::move(attributes), outputs);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].empty()) continue;
      QUANTRY_RETURN_IF_ERROR(Define(outputs[i], added->output(i)));
    }
    return absl::OkStatus();
  }

  absl::Status AddOutputs() {
    if (proto_.output().empty()) return absl::InvalidArgumentError("the model has no output");
    for (const onnx::ValueInfoProto& output : proto_.output()) {
      const auto value = values_.find(output.name());
      if (value == values_.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("model output '", ForMessage(output.name()), "' is made by no node"));
      }
      graph_.AddOutput(value->second);
    }
    return absl::OkStatus();
  }

  absl::Status AddDeclaredTypes() {
    for (const auto* list : {&proto_.value_info(), &proto_.output()}) {
      for (const onnx::ValueInfoProto& info : *list) {
        const auto value = values_.find(info.name());
        if (value == values_.end() || value->second->producer() == nullptr) continue;
        QUANTRY_ASSIGN_OR_RETURN(value->second->type, ValueTypeOf(info));
      }
    }
    return absl::OkStatus();
  }

  const onnx::GraphProto& proto_;
  OnnxTensorReader& tensors_;
  Graph graph_;
  absl::flat_hash_map<std::string, Value*> values_;
  absl::flat_hash_set<std::string> used_;
  absl::flat_hash_map<std::string, int32_t> four_bits_;  // constants of uint4 and int4
};

}  // namespace

absl::StatusOr<Graph> BuildGraph(const onnx::GraphProto& proto, OnnxTensorReader& tensors) {
  return GraphBuilder(proto, tensors).Build();
}

absl::Status UpgradeNodes(Graph& graph, int64_t opset) {
  for (Node* node : graph.nodes()) {
    const OperatorDef* def = FindOperator(node->op());
    if (def == nullptr || def->upgrade == nullptr) continue;
    const std::string context = absl::StrCat("node '", node->name(), "' (", node->op(), ")");
    QUANTRY_RETURN_IF_ERROR(WithContext(def->upgrade(graph, *node, opset), context));
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
