#include "worker/engine/export/write_onnx.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/export/onnx_proto.h"

namespace quantry::engine {
namespace {

bool IsReduction(absl::string_view op) {
  return absl::StartsWith(op, "Reduce") && op != "ReduceSum";
}

// Until opset 17 the axes of a reduction other than ReduceSum are an attribute.
absl::Status WriteReduction(const Node& node, onnx::NodeProto& proto) {
  proto.clear_input();
  proto.add_input(node.input(0)->name());
  const Value* axes = node.input(1);
  if (axes == nullptr) {
    if (node.Int("noop_with_empty_axes", 0) == 0) return absl::OkStatus();
    return absl::InvalidArgumentError("noop_with_empty_axes can't be written in opset 17");
  }
  if (!axes->is_initializer() || axes->tensor().scalar_type() != at::kLong) {
    return absl::InvalidArgumentError("axes are not constant, which opset 17 can't express");
  }
  const at::Tensor flat = axes->tensor().contiguous().view(-1);
  const int64_t* data = flat.data_ptr<int64_t>();
  *proto.add_attribute() =
      ToProto("axes", Attribute(std::vector<int64_t>(data, data + flat.numel())));
  return absl::OkStatus();
}

// Attributes that came after opset 17 and say what is the default there.
bool IsLaterAttribute(const Node& node, absl::string_view name) {
  return (IsReduction(node.op()) && name == "noop_with_empty_axes") ||
         (node.op() == "Split" && name == "num_outputs");
}

absl::Status WriteNode(const Node& node, onnx::GraphProto& graph) {
  if (absl::StrContains(node.op(), '.')) {
    return absl::InvalidArgumentError("this operator is not part of ONNX");
  }
  onnx::NodeProto& proto = *graph.add_node();
  proto.set_op_type(node.op());
  proto.set_name(node.name());
  size_t inputs = node.inputs().size();
  while (inputs > 0 && node.input(inputs - 1) == nullptr) --inputs;
  for (size_t i = 0; i < inputs; ++i) {
    proto.add_input(node.input(i) == nullptr ? "" : node.input(i)->name());
  }
  for (const Value* output : node.outputs()) proto.add_output(output->name());
  for (const auto& [name, attribute] : node.attributes) {
    if (!IsLaterAttribute(node, name)) *proto.add_attribute() = ToProto(name, attribute);
  }
  return IsReduction(node.op()) ? WriteReduction(node, proto) : absl::OkStatus();
}

bool IsNamed(const onnx::NodeProto& node, const std::string& name) {
  return std::find(node.input().begin(), node.input().end(), name) != node.input().end();
}

// Initializers that some written node or an output still names (axes may have become attributes).
absl::Status WriteInitializers(const Graph& graph, onnx::GraphProto& proto) {
  for (const Value* value : graph.initializers()) {
    const bool named =
        std::any_of(proto.node().begin(), proto.node().end(),
                    [&](const onnx::NodeProto& node) { return IsNamed(node, value->name()); }) ||
        std::find(graph.outputs().begin(), graph.outputs().end(), value) != graph.outputs().end();
    if (!named) continue;
    QUANTRY_ASSIGN_OR_RETURN(*proto.add_initializer(), ToProto(value->name(), value->tensor()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const Graph& graph) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  onnx::ModelProto model;
  model.set_ir_version(kWrittenIrVersion);
  model.set_producer_name("quantry");
  model.add_opset_import()->set_version(kWrittenOpset);
  onnx::GraphProto& proto = *model.mutable_graph();
  proto.set_name(graph.name.empty() ? "model" : graph.name);
  for (const Value* input : graph.inputs()) *proto.add_input() = ToProto(*input);
  for (const Value* output : graph.outputs()) *proto.add_output() = ToProto(*output);
  for (const Node* node : order) {
    QUANTRY_RETURN_IF_ERROR(WithContext(
        WriteNode(*node, proto), absl::StrCat("node '", node->name(), "' (", node->op(), ")")));
  }
  QUANTRY_RETURN_IF_ERROR(WriteInitializers(graph, proto));
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the model has ", model.ByteSizeLong(), " bytes; an ONNX file can have up to 2147483647"));
  }
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return absl::InternalError("protobuf could not serialize the model");
  }
  return bytes;
}

absl::Status WriteOnnxFile(const Graph& graph, const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, WriteOnnx(graph));
  return WriteFileAtomically(path, bytes);
}

}  // namespace quantry::engine
