#include "worker/engine/import/inspect.h"

#include <algorithm>
#include <limits>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/graph/without_exceptions.h"
#include "worker/engine/import/fold_number.h"
#include "worker/engine/import/inline_control_flow.h"
#include "worker/engine/import/onnx_text.h"
#include "worker/engine/import/onnx_type.h"
#include "worker/engine/import/parse_model.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// Control characters and broken UTF-8 escaped: a summary ends up in JSON and on terminals.
std::string Clean(const std::string& text) {
  return CheckName("text", text).ok() ? text : ForMessage(text);
}

OnnxSummary::Port Describe(const onnx::ValueInfoProto& info) {
  const absl::StatusOr<ValueType> type = ValueTypeOf(info);
  return {Clean(info.name()), type.ok() ? TypeText(*type) : "?"};
}

bool IsTrained(InputKind kind) {
  return kind == InputKind::kWeight || kind == InputKind::kBias || kind == InputKind::kParameter;
}

int64_t ElementsOf(const onnx::TensorProto& tensor) {
  const bool floating = tensor.data_type() == onnx::TensorProto::FLOAT ||
                        tensor.data_type() == onnx::TensorProto::DOUBLE ||
                        tensor.data_type() == onnx::TensorProto::FLOAT16 ||
                        tensor.data_type() == onnx::TensorProto::BFLOAT16;
  if (!floating) return 0;
  int64_t count = 1;
  for (const int64_t dim : tensor.dims()) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count)) return 0;
  }
  return count;
}

// Follows Identity nodes, by which exporters make equal initializers one.
int64_t CountParameters(const onnx::GraphProto& graph) {
  absl::flat_hash_map<absl::string_view, const onnx::TensorProto*> tensors;
  for (const auto& tensor : graph.initializer()) tensors.emplace(tensor.name(), &tensor);
  for (const auto& node : graph.node()) {
    if (node.op_type() != "Identity" || node.input_size() != 1 || node.output_size() != 1) continue;
    const auto source = tensors.find(node.input(0));
    if (source != tensors.end()) tensors.emplace(node.output(0), source->second);
  }
  absl::flat_hash_set<absl::string_view> counted;
  int64_t total = 0;
  for (const auto& node : graph.node()) {
    const OperatorDef* def = FindOperator(QualifiedOp(node));
    if (def == nullptr) continue;
    for (int i = 0; i < node.input_size(); ++i) {
      const auto tensor = tensors.find(node.input(i));
      if (tensor == tensors.end() || !IsTrained(KindOfInput(*def, static_cast<size_t>(i))))
        continue;
      if (!counted.insert(node.input(i)).second) continue;
      if (__builtin_add_overflow(total, ElementsOf(*tensor->second), &total)) {
        return std::numeric_limits<int64_t>::max();
      }
    }
  }
  return total;
}

int64_t DefaultOpset(const onnx::ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") return import.version();
  }
  return 0;
}

std::map<std::string, int64_t> CountOperators(const onnx::GraphProto& graph, bool control_flow) {
  std::map<std::string, int64_t> counts;
  for (const auto& node : graph.node()) {
    if (IsControlFlow(node) == control_flow) ++counts[QualifiedOp(node)];
  }
  return counts;
}

// The graph that the import would see, or why there is none.
absl::StatusOr<onnx::GraphProto> Inlined(const onnx::ModelProto& model,
                                         const std::optional<std::filesystem::path>& folder) {
  QUANTRY_ASSIGN_OR_RETURN(const int64_t opset, OpsetOf(model));
  onnx::GraphProto graph = model.graph();
  QUANTRY_RETURN_IF_ERROR(InlineControlFlow(opset, FoldNumbers(opset, folder), graph));
  return graph;
}

// Operators and parameters.
void CountParts(const onnx::ModelProto& model, const std::optional<std::filesystem::path>& folder,
                OnnxSummary& summary) {
  const onnx::GraphProto* graph = &model.graph();
  absl::StatusOr<onnx::GraphProto> inlined = absl::NotFoundError("no control flow");
  const auto control_flow = CountOperators(*graph, /*control_flow=*/true);
  if (!control_flow.empty()) {
    inlined =
        WithoutExceptions("its control flow can't be read", [&] { return Inlined(model, folder); });
    if (inlined.ok()) graph = &*inlined;
  }
  for (const auto& [op, count] : control_flow) {
    summary.operators.push_back({op, count, inlined.ok(), inlined.ok()});
  }
  for (const auto& [op, count] : CountOperators(*graph, /*control_flow=*/false)) {
    // Constant nodes become initializers before any operator is looked up.
    const bool supported = op == "Constant" || FindOperator(op) != nullptr;
    summary.operators.push_back({Clean(op), count, supported, /*inlined=*/false});
  }
  std::sort(summary.operators.begin(), summary.operators.end(),
            [](const auto& a, const auto& b) { return a.op < b.op; });
  summary.parameter_count = CountParameters(*graph);
}

}  // namespace

absl::StatusOr<OnnxSummary> DescribeOnnx(absl::string_view bytes,
                                         const std::optional<std::filesystem::path>& folder) {
  QUANTRY_ASSIGN_OR_RETURN(const onnx::ModelProto model, ParseModel(bytes));
  const onnx::GraphProto& graph = model.graph();
  OnnxSummary summary;
  summary.name = Clean(graph.name());
  summary.producer =
      Clean(absl::StrCat(model.producer_name(), model.producer_version().empty() ? "" : " ",
                         model.producer_version()));
  summary.ir_version = model.ir_version();
  summary.opset = DefaultOpset(model);
  absl::flat_hash_set<absl::string_view> initializers;
  for (const auto& tensor : graph.initializer()) initializers.insert(tensor.name());
  for (const auto& input : graph.input()) {
    if (!initializers.contains(input.name())) summary.inputs.push_back(Describe(input));
  }
  for (const auto& output : graph.output()) summary.outputs.push_back(Describe(output));
  CountParts(model, folder, summary);
  summary.node_count = graph.node_size();
  return summary;
}

absl::StatusOr<OnnxSummary> DescribeOnnxFile(const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  absl::StatusOr<OnnxSummary> summary = DescribeOnnx(bytes, path.parent_path());
  if (summary.ok()) return summary;
  return WithContext(summary.status(), absl::StrCat("model ", path.filename().string()));
}

}  // namespace quantry::engine
