#include "worker/engine/import/import_onnx.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/import/build_graph.h"
#include "worker/engine/import/inline_control_flow.h"
#include "worker/engine/import/onnx_tensor.h"
#include "worker/engine/import/onnx_text.h"
#include "worker/engine/import/parse_model.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/assign_roles.h"
#include "worker/engine/passes/canonicalize.h"
#include "worker/engine/passes/check_weights.h"

namespace quantry::engine {
namespace {

absl::Status UpgradeNodes(Graph& graph, int64_t opset) {
  for (Node* node : graph.nodes()) {
    const OperatorDef* def = FindOperator(node->op());
    if (def == nullptr || def->upgrade == nullptr) continue;
    const std::string context = absl::StrCat("node '", node->name(), "' (", node->op(), ")");
    QUANTRY_RETURN_IF_ERROR(WithContext(def->upgrade(graph, *node, opset), context));
  }
  return absl::OkStatus();
}

// What InlineControlFlow asks for.
absl::StatusOr<int64_t> ConstantOf(const onnx::GraphProto& part, int64_t opset,
                                   const std::optional<std::filesystem::path>& folder) {
  OnnxTensorReader tensors(folder);
  QUANTRY_ASSIGN_OR_RETURN(Graph graph, BuildGraph(part, tensors));
  QUANTRY_RETURN_IF_ERROR(UpgradeNodes(graph, opset));
  QUANTRY_RETURN_IF_ERROR(VerifyOperators(graph));
  QUANTRY_RETURN_IF_ERROR(Canonicalize(graph));
  // The last node only makes it an int64; what is in front has become a constant, or can't.
  const Node* cast = graph.outputs()[0]->producer();
  const Value* value = cast == nullptr ? graph.outputs()[0] : cast->input(0);
  if (value == nullptr || !value->is_initializer() || value->tensor().numel() != 1) {
    return absl::NotFoundError("not a constant");
  }
  return value->tensor().to(at::kLong).item<int64_t>();
}

absl::StatusOr<Graph> Import(absl::string_view bytes, std::optional<std::filesystem::path> folder) {
  QUANTRY_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseModel(bytes));
  QUANTRY_ASSIGN_OR_RETURN(const int64_t opset, OpsetOf(model));
  const auto constant_of = [&](const onnx::GraphProto& part) {
    const auto value = ConstantOf(part, opset, folder);
    return value.ok() ? std::optional<int64_t>(*value) : std::nullopt;
  };
  QUANTRY_RETURN_IF_ERROR(InlineControlFlow(opset, constant_of, *model.mutable_graph()));
  OnnxTensorReader tensors(std::move(folder));
  QUANTRY_ASSIGN_OR_RETURN(Graph graph, BuildGraph(model.graph(), tensors));
  graph.doc =
      absl::StrCat("onnx opset ", opset, ", producer ",
                   model.producer_name().empty() ? "unknown" : ForMessage(model.producer_name()),
                   " ", ForMessage(model.producer_version()));
  QUANTRY_RETURN_IF_ERROR(UpgradeNodes(graph, opset));
  QUANTRY_RETURN_IF_ERROR(VerifyOperators(graph));
  QUANTRY_RETURN_IF_ERROR(SplitMergedInitializers(graph));
  AssignRoles(graph);
  QUANTRY_RETURN_IF_ERROR(Canonicalize(graph));
  AssignRoles(graph);
  QUANTRY_RETURN_IF_ERROR(CheckWeights(graph));
  QUANTRY_RETURN_IF_ERROR(Verify(graph));
  QUANTRY_RETURN_IF_ERROR(VerifyOperators(graph));
  return graph;
}

// The edge where exceptions of LibTorch and the standard library end, and from which on messages
// are text, whatever of the file they quote.
absl::StatusOr<Graph> ImportGuarded(absl::string_view bytes,
                                    std::optional<std::filesystem::path> folder) {
  try {
    absl::StatusOr<Graph> graph = Import(bytes, std::move(folder));
    if (graph.ok()) return graph;
    return absl::Status(graph.status().code(), ToPlainText(graph.status().message()));
  } catch (const c10::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat("the ONNX model can't be read: ",
                                                   ToPlainText(error.what_without_backtrace())));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ONNX model can't be read: ", ToPlainText(error.what())));
  }
}

}  // namespace

absl::StatusOr<Graph> ImportOnnx(absl::string_view bytes) {
  return ImportGuarded(bytes, std::nullopt);
}

absl::StatusOr<Graph> ImportOnnxFile(const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  absl::StatusOr<Graph> graph = ImportGuarded(bytes, path.parent_path());
  if (graph.ok()) return graph;
  return WithContext(graph.status(), absl::StrCat("model ", path.filename().string()));
}

}  // namespace quantry::engine
