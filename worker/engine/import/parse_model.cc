#include "worker/engine/import/parse_model.h"

#include <google/protobuf/io/coded_stream.h>

#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/onnx_text.h"

namespace quantry::engine {
namespace {

constexpr int kMaxNodes = 50000;

bool IsDefaultDomain(absl::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

}  // namespace

absl::StatusOr<onnx::ModelProto> ParseModel(absl::string_view bytes) {
  if (bytes.empty()) return absl::InvalidArgumentError("the ONNX file is empty");
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ONNX file has ", bytes.size(),
                     " bytes; allowed: below 2 GiB, larger weights as external data"));
  }
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                                               static_cast<int>(bytes.size()));
  onnx::ModelProto model;
  if (!model.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "not an ONNX file, or one that is cut off or damaged (", bytes.size(), " bytes)"));
  }
  if (!model.has_graph() || model.opset_import_size() == 0) {
    return absl::InvalidArgumentError("not an ONNX file: no graph and operator set inside");
  }
  if (model.graph().node_size() > kMaxNodes) {
    return absl::InvalidArgumentError(absl::StrCat("the model has ", model.graph().node_size(),
                                                   " nodes; allowed: at most ", kMaxNodes));
  }
  if (model.functions_size() > 0) {
    return absl::InvalidArgumentError(absl::StrCat("the model defines functions of its own ('",
                                                   ForMessage(model.functions(0).name()),
                                                   "'), which is not supported"));
  }
  return model;
}

absl::StatusOr<int64_t> OpsetOf(const onnx::ModelProto& model) {
  std::optional<int64_t> opset;
  for (const auto& import : model.opset_import()) {
    if (!IsDefaultDomain(import.domain())) continue;
    if (opset.has_value() && *opset != import.version()) {
      return absl::InvalidArgumentError("the model names two versions of the ONNX operator set");
    }
    opset = import.version();
  }
  if (!opset.has_value()) {
    return absl::InvalidArgumentError("the model names no version of the ONNX operator set");
  }
  if (*opset < kMinOpset || *opset > kMaxOpset) {
    return absl::InvalidArgumentError(absl::StrCat(
        "opset ", *opset, " is not supported; allowed: ", kMinOpset, " to ", kMaxOpset));
  }
  return *opset;
}

std::string QualifiedOp(const onnx::NodeProto& node) {
  if (IsDefaultDomain(node.domain())) return node.op_type();
  return absl::StrCat(node.domain(), ".", node.op_type());
}

}  // namespace quantry::engine
