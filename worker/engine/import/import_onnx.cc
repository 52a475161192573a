#include "worker/engine/import/import_onnx.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/graph/without_exceptions.h"
#include "worker/engine/import/build_graph.h"
#include "worker/engine/import/fold_number.h"
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

absl::StatusOr<Graph> Import(absl::string_view bytes, std::optional<std::filesystem::path> folder) {
  QUANTRY_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseModel(bytes));
  QUANTRY_ASSIGN_OR_RETURN(const int64_t opset, OpsetOf(model));
  QUANTRY_RETURN_IF_ERROR(
      InlineControlFlow(opset, FoldNumbers(opset, folder), *model.mutable_graph()));
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

absl::StatusOr<Graph> ImportGuarded(absl::string_view bytes,
                                    std::optional<std::filesystem::path> folder) {
  return WithoutExceptions("the ONNX model can't be read",
                           [&] { return Import(bytes, std::move(folder)); });
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
