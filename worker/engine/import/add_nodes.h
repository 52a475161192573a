#ifndef QUANTRY_WORKER_ENGINE_IMPORT_ADD_NODES_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_ADD_NODES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "onnx/onnx_pb.h"

namespace quantry::engine {

// Appends a node with one output and no attributes.
onnx::NodeProto* AddNode(onnx::GraphProto& graph, const std::string& op,
                         const std::vector<std::string>& inputs, const std::string& output);

void AddIntAttribute(onnx::NodeProto& node, const std::string& attribute, int64_t number);

// Appends an initializer that holds `number`: an int64 scalar, an int64 list of one, a bool scalar.
void AddNumber(onnx::GraphProto& graph, const std::string& name, int64_t number);
void AddList(onnx::GraphProto& graph, const std::string& name, int64_t number);
void AddTrue(onnx::GraphProto& graph, const std::string& name);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_ADD_NODES_H_
