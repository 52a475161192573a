#include "worker/engine/import/onnx_attribute.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/onnx_text.h"

namespace quantry::engine {
namespace {

absl::StatusOr<Attribute> ReadAttribute(const onnx::AttributeProto& proto,
                                        OnnxTensorReader& tensors) {
  if (!proto.ref_attr_name().empty()) {
    return absl::InvalidArgumentError("refers to a function's attribute, which is not supported");
  }
  switch (proto.type()) {
    case onnx::AttributeProto::FLOAT:
      return Attribute(proto.f());
    case onnx::AttributeProto::INT:
      return Attribute(static_cast<int64_t>(proto.i()));
    case onnx::AttributeProto::STRING:
      return Attribute(proto.s());
    case onnx::AttributeProto::FLOATS:
      return Attribute(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case onnx::AttributeProto::INTS:
      return Attribute(std::vector<int64_t>(proto.ints().begin(), proto.ints().end()));
    case onnx::AttributeProto::STRINGS:
      return Attribute(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case onnx::AttributeProto::TENSOR: {
      QUANTRY_ASSIGN_OR_RETURN(at::Tensor tensor, tensors.Read(proto.t()));
      return Attribute(std::move(tensor));
    }
    case onnx::AttributeProto::GRAPH:
    case onnx::AttributeProto::GRAPHS:
      return absl::InvalidArgumentError("holds a sub-graph, which only If, Loop and Scan may have");
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("is of kind ", static_cast<int>(proto.type()),
                       "; allowed: numbers, strings, lists of these, and tensors"));
  }
}

}  // namespace

absl::StatusOr<AttributeMap> ReadAttributes(const onnx::NodeProto& node,
                                            OnnxTensorReader& tensors) {
  AttributeMap attributes;
  for (const onnx::AttributeProto& proto : node.attribute()) {
    const std::string context = absl::StrCat("attribute '", ForMessage(proto.name()), "'");
    QUANTRY_RETURN_IF_ERROR(CheckName("attribute name", proto.name()));
    absl::StatusOr<Attribute> attribute = ReadAttribute(proto, tensors);
    if (!attribute.ok()) return WithContext(attribute.status(), context);
    if (!attributes.emplace(proto.name(), *std::move(attribute)).second) {
      return absl::InvalidArgumentError(absl::StrCat(context, " is given twice"));
    }
  }
  return attributes;
}

}  // namespace quantry::engine
