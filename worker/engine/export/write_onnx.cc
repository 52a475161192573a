#include "worker/engine/export/write_onnx.h"

#include <ATen/ATen.h>
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

enum class Storage { kAsHeld, kInt4, kUint16 };

bool IsReadBy(const Use& use, absl::string_view op, size_t slot) {
  return use.node->op() == op && use.index == slot;
}

bool FitsInt4(const Value& value) {
  const auto& uses = value.uses();
  return value.tensor().scalar_type() == at::kChar && value.tensor().numel() > 0 && !uses.empty() &&
         std::all_of(uses.begin(), uses.end(),
                     [](const Use& use) {
                       return IsReadBy(use, "DequantizeLinear", 0) ||
                              IsReadBy(use, "DequantizeLinear", 2);
                     }) &&
         value.tensor().ge(-8).logical_and(value.tensor().le(7)).all().item<bool>();
}

// How an initializer is stored. Scale and zero point are of the same type as the integers.
Storage StorageOf(const Value& value, const WriteOptions& options) {
  const auto& uses = value.uses();
  const bool zero_point = std::any_of(
      uses.begin(), uses.end(), [](const Use& use) { return IsReadBy(use, "QuantizeLinear", 2); });
  if (zero_point && value.tensor().scalar_type() == at::kInt) return Storage::kUint16;
  if (!options.pack_int4 || !FitsInt4(value)) return Storage::kAsHeld;
  // A zero point goes with the integers of its node.
  const Use& use = uses.front();
  if (use.index == 0) return Storage::kInt4;
  const Value* integers = use.node->input(0);
  return integers->is_initializer() && FitsInt4(*integers) ? Storage::kInt4 : Storage::kAsHeld;
}

bool NeedsOpset21(const Graph& graph, const WriteOptions& options) {
  const std::vector<Value*> initializers = graph.initializers();
  return std::any_of(initializers.begin(), initializers.end(), [&](const Value* value) {
    return value->tensor().scalar_type() == at::kShort ||
           StorageOf(*value, options) != Storage::kAsHeld;
  });
}

absl::StatusOr<onnx::TensorProto> InitializerProto(const Value& value,
                                                   const WriteOptions& options) {
  switch (StorageOf(value, options)) {
    case Storage::kInt4:
      return ToInt4Proto(value.name(), value.tensor());
    case Storage::kUint16:
      return ToUint16Proto(value.name(), value.tensor());
    case Storage::kAsHeld:
      break;
  }
  return ToProto(value.name(), value.tensor());
}

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

// From opset 18 on a Split without sizes says into how many parts.
void WriteSplit(const Node& node, onnx::NodeProto& proto) {
  if (node.input(1) != nullptr || node.HasAttribute("num_outputs")) return;
  *proto.add_attribute() =
      ToProto("num_outputs", Attribute(static_cast<int64_t>(node.outputs().size())));
}

absl::Status WriteNode(const Node& node, int opset, onnx::GraphProto& graph) {
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
    const bool known = opset > kWrittenOpset || !IsLaterAttribute(node, name);
    if (known) *proto.add_attribute() = ToProto(name, attribute);
  }
  if (opset > kWrittenOpset) {
    if (node.op() == "Split") WriteSplit(node, proto);
    return absl::OkStatus();
  }
  return IsReduction(node.op()) ? WriteReduction(node, proto) : absl::OkStatus();
}

bool IsNamed(const onnx::NodeProto& node, const std::string& name) {
  return std::find(node.input().begin(), node.input().end(), name) != node.input().end();
}

// Initializers that some written node or an output still names (axes may have become attributes).
absl::Status WriteInitializers(const Graph& graph, const WriteOptions& options,
                               onnx::GraphProto& proto) {
  for (const Value* value : graph.initializers()) {
    const bool named =
        std::any_of(proto.node().begin(), proto.node().end(),
                    [&](const onnx::NodeProto& node) { return IsNamed(node, value->name()); }) ||
        std::find(graph.outputs().begin(), graph.outputs().end(), value) != graph.outputs().end();
    if (!named) continue;
    QUANTRY_ASSIGN_OR_RETURN(*proto.add_initializer(), InitializerProto(*value, options));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const Graph& graph, const WriteOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  onnx::ModelProto model;
  const bool newer = NeedsOpset21(graph, options);
  const int opset = newer ? kOpsetOfOtherIntegers : kWrittenOpset;
  model.set_ir_version(newer ? kIrVersionOfOtherIntegers : kWrittenIrVersion);
  model.set_producer_name("quantry");
  model.add_opset_import()->set_version(opset);
  onnx::GraphProto& proto = *model.mutable_graph();
  proto.set_name(graph.name.empty() ? "model" : graph.name);
  for (const Value* input : graph.inputs()) *proto.add_input() = ToProto(*input);
  for (const Value* output : graph.outputs()) *proto.add_output() = ToProto(*output);
  for (const Node* node : order) {
    QUANTRY_RETURN_IF_ERROR(
        WithContext(WriteNode(*node, opset, proto),
                    absl::StrCat("node '", node->name(), "' (", node->op(), ")")));
  }
  QUANTRY_RETURN_IF_ERROR(WriteInitializers(graph, options, proto));
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

absl::Status WriteOnnxFile(const Graph& graph, const std::filesystem::path& path,
                           const WriteOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, WriteOnnx(graph, options));
  return WriteFileAtomically(path, bytes);
}

}  // namespace quantry::engine
