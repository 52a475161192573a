#include "tests/worker/engine/import/onnx_node_cases.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/import/onnx_tensor.h"
#include "worker/engine/import/parse_model.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

bool IsTensorOfNumbers(const onnx::ValueInfoProto& info) {
  return info.type().has_tensor_type() &&
         info.type().tensor_type().elem_type() != onnx::TensorProto::STRING;
}

// Why the engine need not run the model; the first rule that holds.
std::string UnsupportedRule(const onnx::ModelProto& model) {
  static const std::set<std::string> kRandom = {"Bernoulli", "RandomUniformLike"};
  for (const auto& import : model.opset_import()) {
    if (import.domain() == "ai.onnx.preview.training") return "an optimizer, part of training only";
  }
  for (const auto* list : {&model.graph().input(), &model.graph().output()}) {
    for (const onnx::ValueInfoProto& info : *list) {
      if (!info.type().has_tensor_type()) return "sequences, maps and optionals";
      if (!IsTensorOfNumbers(info)) return "strings";
    }
  }
  for (const onnx::NodeProto& node : model.graph().node()) {
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.has_g()) return "control flow";
    }
    if (kRandom.contains(node.op_type())) return "random numbers, which can't be compared";
    if (FindOperator(QualifiedOp(node)) == nullptr && QualifiedOp(node) != "Constant") {
      return absl::StrCat("no operator ", QualifiedOp(node));
    }
  }
  return "";
}

absl::StatusOr<at::Tensor> ReadTensor(const fs::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  onnx::TensorProto proto;
  if (!proto.ParseFromString(bytes)) return absl::InvalidArgumentError("not a tensor");
  OnnxTensorReader reader(std::nullopt);
  return reader.Read(proto);
}

bool IsBfloat16(const onnx::ValueInfoProto& info) {
  return info.type().tensor_type().elem_type() == onnx::TensorProto::BFLOAT16;
}

// The cases keep bfloat16, which NumPy lacks, as the uint16 of the same bits.
at::Tensor FromBits(const at::Tensor& bits) {
  return at::bitwise_left_shift(bits.to(at::kInt), 16).view(at::kFloat);
}

// `ports`: what the model says of the tensors.
absl::StatusOr<std::vector<at::Tensor>> ReadTensors(
    const fs::path& folder, const char* kind,
    const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>& ports) {
  std::vector<at::Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / absl::StrCat(kind, "_", i, ".pb");
    if (!fs::exists(path)) return tensors;
    QUANTRY_ASSIGN_OR_RETURN(at::Tensor tensor, ReadTensor(path));
    const bool bits = i < ports.size() && IsBfloat16(ports.Get(i)) && tensor.dtype() == at::kInt;
    tensors.push_back(bits ? FromBits(tensor) : std::move(tensor));
  }
}

absl::Status Compare(const at::Tensor& found, const at::Tensor& expected) {
  at::Tensor actual = found;
  if (actual.scalar_type() == at::kHalf || actual.scalar_type() == at::kBFloat16) {
    actual = actual.to(at::kFloat);
  }
  if (actual.scalar_type() != expected.scalar_type() || actual.sizes() != expected.sizes()) {
    return absl::InternalError(
        absl::StrCat(ToString(TypeOf(actual)), " instead of ", ToString(TypeOf(expected))));
  }
  const at::Tensor a = actual.to(at::kDouble);
  const at::Tensor e = expected.to(at::kDouble);
  if (at::allclose(a, e, 1e-3, 1e-5, /*equal_nan=*/true)) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("differs by up to ", at::abs(at::sub(a, e)).max().item<double>()));
}

absl::Status RunDataSet(const onnx::GraphProto& proto, const Graph& graph, const fs::path& folder) {
  QUANTRY_ASSIGN_OR_RETURN(const auto inputs, ReadTensors(folder, "input", proto.input()));
  QUANTRY_ASSIGN_OR_RETURN(const auto expected, ReadTensors(folder, "output", proto.output()));
  QUANTRY_ASSIGN_OR_RETURN(const auto executor, Executor::Create(graph));
  QUANTRY_ASSIGN_OR_RETURN(const auto outputs, executor->Run(inputs, {}));
  if (expected.empty() || outputs.size() != expected.size()) {
    return absl::InternalError(
        absl::StrCat(outputs.size(), " outputs instead of ", expected.size()));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    QUANTRY_RETURN_IF_ERROR(
        WithContext(Compare(outputs[i], expected[i]), absl::StrCat("output ", i)));
  }
  return absl::OkStatus();
}

absl::Status RunAll(const onnx::ModelProto& model, const fs::path& folder) {
  QUANTRY_ASSIGN_OR_RETURN(const Graph graph, ImportOnnx(model.SerializeAsString()));
  int data_sets = 0;
  for (; fs::exists(folder / absl::StrCat("test_data_set_", data_sets)); ++data_sets) {
    QUANTRY_RETURN_IF_ERROR(
        RunDataSet(model.graph(), graph, folder / absl::StrCat("test_data_set_", data_sets)));
  }
  return data_sets > 0 ? absl::OkStatus() : absl::NotFoundError("no test data");
}

// How an operator fared.
struct Row {
  std::set<int64_t> opsets;
  int cases = 0;
  int passed = 0;
  std::set<std::string> reasons;
};

std::string ReasonOf(const NodeCaseResult& result) {
  if (!result.unsupported.empty()) return result.unsupported;
  return absl::StrReplaceAll(result.error, {{"|", "\\|"}, {"\n", " "}});
}

std::map<std::string, Row> RowsOf(const std::vector<NodeCaseResult>& results) {
  std::map<std::string, Row> rows;
  for (const OperatorDef* def : OperatorTable()) {
    if (def->op.substr(0, 8) != "quantry.") rows[std::string(def->op)];
  }
  for (const NodeCaseResult& result : results) {
    const bool passed = result.error.empty() && result.unsupported.empty();
    // A case that fails tells of the operators that are missing, if any, not of those beside them.
    const auto& ops = result.unknown_ops.empty() ? result.ops : result.unknown_ops;
    for (const std::string& op : ops) {
      Row& row = rows[op];
      row.opsets.insert(result.opset);
      ++row.cases;
      passed ? ++row.passed : (row.reasons.insert(ReasonOf(result)), 0);
    }
  }
  return rows;
}

}  // namespace

NodeCaseResult RunNodeCase(const fs::path& folder) {
  NodeCaseResult result{.name = folder.filename()};
  const auto bytes = ReadFile(folder / "model.onnx");
  auto model = bytes.ok() ? ParseModel(*bytes) : bytes.status();
  if (!model.ok()) {
    result.error = std::string(model.status().message());
    return result;
  }
  // A case names the opset that brought the operator. Older ones than the engine reads are read as
  // the oldest it does: the operators of these cases have not changed between the two.
  for (auto& import : *model->mutable_opset_import()) {
    if (!import.domain().empty()) continue;
    result.opset = import.version();
    import.set_version(std::max<int64_t>(import.version(), kMinOpset));
  }
  for (const onnx::NodeProto& node : model->graph().node()) {
    const std::string op = QualifiedOp(node);
    result.ops.insert(op);
    if (op != "Constant" && FindOperator(op) == nullptr) result.unknown_ops.insert(op);
  }
  result.unsupported = UnsupportedRule(*model);
  if (result.unsupported.empty()) {
    result.error = std::string(RunAll(*model, folder).message());
  }
  return result;
}

std::string OperatorTableMarkdown(const std::vector<NodeCaseResult>& results) {
  const auto passed = std::count_if(results.begin(), results.end(), [](const auto& result) {
    return result.error.empty() && result.unsupported.empty();
  });
  std::string text = absl::StrCat(
      "# ONNX operators\n\n"
      "Quantry reads ONNX files of opsets ",
      kMinOpset, " to ", kMaxOpset,
      ". This table is generated: ONNX's own operator tests run through import and evaluation,\n"
      "and a test fails if the table is not what they give. ",
      passed, " of the ", results.size(),
      " cases pass. Cases made of several\noperators count for each of them. The opsets are those "
      "of the cases; operators without cases have\ntests of their own.\n\n"
      "| Operator | Supported | Cases passed | Opsets of the cases | What does not run |\n"
      "|---|---|---|---|---|\n");
  for (const auto& [op, row] : RowsOf(results)) {
    const bool known = FindOperator(op) != nullptr || op == "Constant";
    const std::string cases =
        row.cases == 0 ? "none exist" : absl::StrCat(row.passed, " of ", row.cases);
    absl::StrAppend(&text, "| ", op, " | ", known ? "yes" : "no", " | ", cases, " | ",
                    absl::StrJoin(row.opsets, ", "), " | ", absl::StrJoin(row.reasons, "; "),
                    " |\n");
  }
  return text;
}

}  // namespace quantry::engine
