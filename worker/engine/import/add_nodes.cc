#include "worker/engine/import/add_nodes.h"

namespace quantry::engine {
namespace {

onnx::TensorProto* AddTensor(onnx::GraphProto& graph, const std::string& name,
                             onnx::TensorProto::DataType type) {
  onnx::TensorProto* tensor = graph.add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(type);
  return tensor;
}

}  // namespace

onnx::NodeProto* AddNode(onnx::GraphProto& graph, const std::string& op,
                         const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto* node = graph.add_node();
  node->set_op_type(op);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(output);
  return node;
}

void AddIntAttribute(onnx::NodeProto& node, const std::string& attribute, int64_t number) {
  onnx::AttributeProto* added = node.add_attribute();
  added->set_name(attribute);
  added->set_type(onnx::AttributeProto::INT);
  added->set_i(number);
}

void AddNumber(onnx::GraphProto& graph, const std::string& name, int64_t number) {
  AddTensor(graph, name, onnx::TensorProto::INT64)->add_int64_data(number);
}

void AddList(onnx::GraphProto& graph, const std::string& name, int64_t number) {
  onnx::TensorProto* tensor = AddTensor(graph, name, onnx::TensorProto::INT64);
  tensor->add_dims(1);
  tensor->add_int64_data(number);
}

void AddTrue(onnx::GraphProto& graph, const std::string& name) {
  AddTensor(graph, name, onnx::TensorProto::BOOL)->add_int32_data(1);
}

}  // namespace quantry::engine
