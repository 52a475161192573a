#ifndef QUANTRY_TESTS_WORKER_ENGINE_IMPORT_ONNX_MODEL_H_
#define QUANTRY_TESTS_WORKER_ENGINE_IMPORT_ONNX_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "onnx/onnx_pb.h"

namespace quantry::engine {

// Small ONNX files for tests.

inline onnx::TensorProto FloatTensor(const std::string& name, const std::vector<int64_t>& dims,
                                     const std::vector<float>& data) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t dim : dims) tensor.add_dims(dim);
  for (const float element : data) tensor.add_float_data(element);
  return tensor;
}

inline onnx::NodeProto* AddOnnxNode(onnx::GraphProto& graph, const std::string& op,
                                    const std::string& name, const std::vector<std::string>& inputs,
                                    const std::vector<std::string>& outputs) {
  onnx::NodeProto* node = graph.add_node();
  node->set_op_type(op);
  node->set_name(name);
  for (const std::string& input : inputs) node->add_input(input);
  for (const std::string& output : outputs) node->add_output(output);
  return node;
}

inline onnx::AttributeProto* AddInts(onnx::NodeProto& node, const std::string& name,
                                     const std::vector<int64_t>& values) {
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute->add_ints(value);
  return attribute;
}

inline onnx::AttributeProto* AddFloat(onnx::NodeProto& node, const std::string& name, float value) {
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(value);
  return attribute;
}

inline onnx::AttributeProto* AddInt(onnx::NodeProto& node, const std::string& name, int64_t value) {
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
  return attribute;
}

inline void SetPort(onnx::ValueInfoProto& port, const std::string& name,
                    const std::vector<int64_t>& dims) {
  port.set_name(name);
  auto* type = port.mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (const int64_t dim : dims) {
    auto* added = type->mutable_shape()->add_dim();
    if (dim < 0) {
      added->set_dim_param("batch");
    } else {
      added->set_dim_value(dim);
    }
  }
}

// A model with input "x" [batch, 2], output "y", no nodes yet.
inline onnx::ModelProto EmptyModel(int64_t opset = 17) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("test");
  model.add_opset_import()->set_version(opset);
  model.mutable_graph()->set_name("small");
  SetPort(*model.mutable_graph()->add_input(), "x", {-1, 2});
  SetPort(*model.mutable_graph()->add_output(), "y", {-1, 3});
  return model;
}

// y = relu(x w^T + b) with w [3, 2] and b [3].
inline onnx::ModelProto LinearModel(int64_t opset = 17) {
  onnx::ModelProto model = EmptyModel(opset);
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = FloatTensor("w", {3, 2}, {1, 2, 3, 4, 5, 6});
  *graph.add_initializer() = FloatTensor("b", {3}, {1, 0, -1});
  AddInt(*AddOnnxNode(graph, "Gemm", "fc", {"x", "w", "b"}, {"h"}), "transB", 1);
  AddOnnxNode(graph, "Relu", "act", {"h"}, {"y"});
  return model;
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_IMPORT_ONNX_MODEL_H_
