#include "worker/engine/import/fold_number.h"

#include <ATen/ATen.h>

#include <utility>

#include "common/status_macros.h"
#include "worker/engine/import/build_graph.h"
#include "worker/engine/import/onnx_tensor.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/canonicalize.h"

namespace quantry::engine {
namespace {

absl::StatusOr<int64_t> FoldNumber(const onnx::GraphProto& part, int64_t opset,
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

}  // namespace

ConstantFinder FoldNumbers(int64_t opset, std::optional<std::filesystem::path> folder) {
  return [opset, folder = std::move(folder)](const onnx::GraphProto& part) {
    const absl::StatusOr<int64_t> number = FoldNumber(part, opset, folder);
    return number.ok() ? std::optional<int64_t>(*number) : std::nullopt;
  };
}

}  // namespace quantry::engine
