#include "worker/engine/import/import_onnx.h"

#include <c10/util/Exception.h>

#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/import/build_graph.h"
#include "worker/engine/import/onnx_tensor.h"
#include "worker/engine/import/onnx_text.h"
#include "worker/engine/import/parse_model.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/assign_roles.h"
#include "worker/engine/passes/canonicalize.h"

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

absl::StatusOr<Graph> Import(absl::string_view bytes, std::optional<std::filesystem::path> folder) {
  QUANTRY_ASSIGN_OR_RETURN(const onnx::ModelProto model, ParseModel(bytes));
  QUANTRY_ASSIGN_OR_RETURN(const int64_t opset, OpsetOf(model));
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
  QUANTRY_RETURN_IF_ERROR(Verify(graph));
  QUANTRY_RETURN_IF_ERROR(VerifyOperators(graph));
  return graph;
}

// The edge where exceptions of LibTorch and the standard library end.
absl::StatusOr<Graph> ImportGuarded(absl::string_view bytes,
                                    std::optional<std::filesystem::path> folder) {
  try {
    return Import(bytes, std::move(folder));
  } catch (const c10::Error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ONNX model can't be read: ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("the ONNX model can't be read: ", error.what()));
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
