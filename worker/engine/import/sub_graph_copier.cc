#include "worker/engine/import/sub_graph_copier.h"

#include "absl/strings/str_cat.h"
#include "worker/engine/import/add_nodes.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMostNodes = 50000;
constexpr int64_t kMostBytes = int64_t{256} << 20;  // of all copies

}  // namespace

SubGraphCopier::Mark SubGraphCopier::Now() const {
  return {graph_.node_size(), graph_.initializer_size(), graph_.value_info_size()};
}

void SubGraphCopier::TakeBack(const Mark& mark) {
  graph_.mutable_node()->DeleteSubrange(mark.nodes, graph_.node_size() - mark.nodes);
  graph_.mutable_initializer()->DeleteSubrange(mark.initializers,
                                               graph_.initializer_size() - mark.initializers);
  graph_.mutable_value_info()->DeleteSubrange(mark.types, graph_.value_info_size() - mark.types);
}

std::string SubGraphCopier::Prefix() { return absl::StrCat("inlined", next_++, "."); }

void SubGraphCopier::CopyInitializers(const onnx::GraphProto& body, const Names& names) {
  for (const onnx::TensorProto& tensor : body.initializer()) {
    onnx::TensorProto* copy = graph_.add_initializer();
    *copy = tensor;
    copy->set_name(Renamed(names, tensor.name()));
  }
}

absl::Status SubGraphCopier::CopyNodes(const onnx::GraphProto& body, const Names& names) {
  bytes_ += static_cast<int64_t>(body.ByteSizeLong());
  if (bytes_ > kMostBytes || graph_.node_size() + body.node_size() > kMostNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("what it runs is more than ", kMostNodes, " nodes or ", kMostBytes, " bytes"));
  }
  for (const onnx::NodeProto& node : body.node()) {
    onnx::NodeProto* copy = graph_.add_node();
    *copy = node;
    RenameValues(names, *copy);
  }
  for (const onnx::ValueInfoProto& info : body.value_info()) {
    onnx::ValueInfoProto* copy = graph_.add_value_info();
    *copy = info;
    copy->set_name(Renamed(names, info.name()));
  }
  return absl::OkStatus();
}

void SubGraphCopier::NameOutput(const onnx::NodeProto& node, int index, const std::string& value) {
  if (node.output(index).empty()) return;
  AddNode(graph_, "Identity", {value}, node.output(index));
}

void SubGraphCopier::StackOutput(const onnx::NodeProto& node, int index,
                                 std::vector<std::string> values, int64_t axis) {
  if (node.output(index).empty()) return;
  const std::string prefix = Prefix();
  const std::string axes = absl::StrCat(prefix, "axes");
  constexpr int64_t kAxesAreInputs = 13;
  if (opset_ >= kAxesAreInputs) AddList(graph_, axes, axis);
  for (size_t i = 0; i < values.size(); ++i) {
    std::vector<std::string> inputs = {values[i]};
    if (opset_ >= kAxesAreInputs) inputs.push_back(axes);
    const std::string output = absl::StrCat(prefix, i);
    onnx::NodeProto* unsqueeze = AddNode(graph_, "Unsqueeze", inputs, output);
    if (opset_ < kAxesAreInputs) {
      onnx::AttributeProto* attribute = unsqueeze->add_attribute();
      attribute->set_name("axes");
      attribute->set_type(onnx::AttributeProto::INTS);
      attribute->add_ints(axis);
    }
    values[i] = output;
  }
  AddIntAttribute(*AddNode(graph_, "Concat", values, node.output(index)), "axis", axis);
}

}  // namespace quantry::engine
