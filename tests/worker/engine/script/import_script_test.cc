// TorchScript files compute what torch computes, in every form; those that can't be lowered say
// where. The files come from tests/tools/export_torchscript.py.
#include "worker/engine/script/import_script.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <filesystem>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "common/files.h"
#include "worker/engine/evaluate/executor.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::set<std::string> kOneType = {
    "Add",  "Clip",        "Concat", "Conv", "Div", "Equal", "Gemm", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "MatMul", "Max",  "Min", "Mul",   "Sub"};

const ScriptOptions kPictures = {.input_shapes = {{3, 64, 64}}};

fs::path Folder() { return QUANTRY_TORCHSCRIPT_FOLDER; }

at::Tensor RunOne(const Graph& graph, const at::Tensor& input) {
  const at::NoGradGuard no_grad;
  auto executor = Executor::Create(graph);
  EXPECT_TRUE(executor.ok()) << executor.status();
  if (!executor.ok()) return {};
  auto outputs = (*executor)->Run({input}, EvaluateContext{});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? outputs->at(0) : at::Tensor();
}

// ONNX brings no types together: an operator's inputs must have one. Where's condition is apart.
void ExpectOneTypePerNode(const Graph& graph) {
  const auto order = graph.TopologicalOrder();
  ASSERT_TRUE(order.ok()) << order.status();
  for (const Node* node : *order) {
    const bool choice = node->op() == "Where";
    if (!choice && !kOneType.contains(node->op())) continue;
    for (size_t i = choice ? 2 : 1; i < node->inputs().size(); ++i) {
      if (node->input(i) == nullptr) continue;
      EXPECT_EQ(node->input(i)->type.dtype, node->input(choice ? 1 : 0)->type.dtype)
          << node->op() << " " << node->name();
    }
  }
}

// A step of gradient descent on the mean square of the first output.
void Descend(const Graph& graph, const at::Tensor& input, double rate) {
  const auto parameters = graph.initializers(InitializerRole::kParameter);
  for (const Value* parameter : parameters) at::Tensor(parameter->tensor()).requires_grad_(true);
  auto executor = Executor::Create(graph);
  ASSERT_TRUE(executor.ok()) << executor.status();
  const auto outputs = (*executor)->Run({input}, EvaluateContext{});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  outputs->at(0).square().mean().backward();
  const at::NoGradGuard no_grad;
  for (const Value* parameter : parameters) {
    at::Tensor tensor = parameter->tensor();
    if (tensor.grad().defined()) tensor.sub_(tensor.grad() * rate);
  }
}

class ScriptParity : public testing::TestWithParam<std::string> {};

TEST_P(ScriptParity, EvaluatesEveryForm) {
  const fs::path folder = Folder() / GetParam();
  const auto bytes = ReadFile(folder / "reference.pt");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto reference =
      torch::jit::pickle_load(std::vector<char>(bytes->begin(), bytes->end())).toGenericDict();
  const at::Tensor input = reference.at("eval.input").toTensor();
  const at::Tensor expected = reference.at("eval.logits").toTensor();
  std::vector<std::string> first;
  for (const char* form : {"traced_eval", "traced_train", "scripted_eval", "scripted_train"}) {
    SCOPED_TRACE(form);
    const auto graph = ImportTorchScriptFile(folder / (std::string(form) + ".pt"), kPictures);
    ASSERT_TRUE(graph.ok()) << graph.status();
    ExpectOneTypePerNode(*graph);
    const at::Tensor logits = RunOne(*graph, input);
    ASSERT_TRUE(logits.defined());
    EXPECT_LE((logits - expected).norm().item<double>(), 1e-4 * expected.norm().item<double>());
    // Another batch size than the one of the trace.
    EXPECT_TRUE(
        at::allclose(RunOne(*graph, input.slice(0, 0, 1)), expected.slice(0, 0, 1), 1e-3, 1e-5));
    EXPECT_GT(graph->ParameterCount(), 0);
    // Attention: other ways to the same end.
    if (absl::StrContains(GetParam(), "tiny") || absl::StrContains(GetParam(), "rows")) continue;
    std::vector<std::string> ops;
    const auto order = graph->TopologicalOrder();
    ASSERT_TRUE(order.ok()) << order.status();
    for (const Node* node : *order) {
      if (node->op() != "Dropout") ops.push_back(node->op());
    }
    if (first.empty()) first = ops;
    EXPECT_EQ(ops, first);
  }
}

// The same is trained as in torch: no parameter is held, nothing that is fixed moves, what is one
// stays one.
TEST_P(ScriptParity, TrainsAsTorchDoes) {
  const fs::path folder = Folder() / GetParam();
  const auto bytes = ReadFile(folder / "reference.pt");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto reference =
      torch::jit::pickle_load(std::vector<char>(bytes->begin(), bytes->end())).toGenericDict();
  const at::Tensor input = reference.at("eval.input").toTensor();
  const at::Tensor before = reference.at("eval.logits").toTensor();
  const at::Tensor change = reference.at("step.logits").toTensor() - before;
  for (const char* form : {"traced_train", "scripted_train"}) {
    SCOPED_TRACE(form);
    const auto graph = ImportTorchScriptFile(folder / (std::string(form) + ".pt"), kPictures);
    ASSERT_TRUE(graph.ok()) << graph.status();
    Descend(*graph, input, reference.at("step.rate").toTensor().item<double>());
    const at::Tensor logits = RunOne(*graph, input);
    ASSERT_TRUE(logits.defined());
    EXPECT_LE((logits - before - change).norm().item<double>(),
              0.01 * change.norm().item<double>());
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, ScriptParity,
                         testing::Values("loops", "mobilenet_v2", "mobilenet_v3_small", "resnet18",
                                         "rows_attention", "rows_chance", "rows_choices",
                                         "rows_curves", "rows_pools", "rows_reductions",
                                         "rows_types", "shufflenet", "tiny_maxvit", "tiny_swin",
                                         "tiny_swin_v2", "tiny_vit"),
                         [](const auto& network) { return network.param; });

// What can't be lowered is named with the line of the Python source that says so.
TEST(ImportTorchScript, NamesControlFlowThatCantBeLowered) {
  const struct {
    const char* file;
    const char* what;
    const char* line;  // a piece of it
  } cases[] = {
      {"data_dependent", "depends on the values of a tensor", "if x.sum() > 0"},
      {"data_dependent_count", "depends on the values of a tensor",
       "for _ in range(int(x.abs().max()))"},
      {"data_dependent_inside", "depends on the values of a tensor", "if bool(x[0, 0, 0, 0] > 0)"},
      {"data_dependent_loop", "depends on the values of a tensor", "while bool(x.norm() > 1.0)"},
      {"batch_dependent", "depends on the batch size", "if x.size(0) > 2"},
  };
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.file);
    const auto graph = ImportTorchScriptFile(
        Folder() / "refused" / (std::string(expected.file) + ".pt"), kPictures);
    ASSERT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(graph.status().message());
    EXPECT_THAT(message, HasSubstr("export_torchscript.py:"));
    EXPECT_THAT(message, HasSubstr(expected.what));
    EXPECT_THAT(message, HasSubstr(expected.line));
  }
}

TEST(ImportTorchScript, NamesAnUnknownOperator) {
  const auto graph = ImportTorchScriptFile(Folder() / "refused" / "unknown.pt", kPictures);
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr("i0"));
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr("export_torchscript.py:"));
}

TEST(ImportTorchScript, RefusesTruncatedFiles) {
  const auto bytes = ReadFile(Folder() / "loops" / "scripted_eval.pt");
  ASSERT_TRUE(bytes.ok());
  for (size_t length = 0; length < bytes->size(); length += 1 + bytes->size() / 37) {
    EXPECT_EQ(ImportTorchScript(bytes->substr(0, length), kPictures).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace quantry::engine
