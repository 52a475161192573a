#include "worker/engine/import/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/import/onnx_model.h"

namespace quantry::engine {
namespace {

TEST(DescribeOnnx, SaysWhatTheFileHolds) {
  const auto summary = DescribeOnnx(LinearModel().SerializeAsString());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->name, "small");
  EXPECT_EQ(summary->producer, "test");
  EXPECT_EQ(summary->opset, 17);
  EXPECT_EQ(summary->node_count, 2);
  EXPECT_EQ(summary->parameter_count, 9);
  ASSERT_EQ(summary->inputs.size(), 1u);
  EXPECT_EQ(summary->inputs[0].name, "x");
  EXPECT_EQ(summary->inputs[0].type, "float32[?,2]");
  ASSERT_EQ(summary->operators.size(), 2u);
  EXPECT_EQ(summary->operators[0].op, "Gemm");
  EXPECT_TRUE(summary->operators[0].supported);
}

TEST(DescribeOnnx, ReportsUnknownOperatorsAndOpsets) {
  onnx::ModelProto model = LinearModel(99);
  model.mutable_graph()->mutable_node(1)->set_op_type("Frobnicate");
  const auto summary = DescribeOnnx(model.SerializeAsString());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->opset, 99);
  EXPECT_EQ(summary->operators[0].op, "Frobnicate");
  EXPECT_EQ(summary->operators[0].count, 1);
  EXPECT_FALSE(summary->operators[0].supported);
}

TEST(DescribeOnnx, CountsMergedInitializersAsOftenAsTheyAreTrained) {
  onnx::ModelProto model = LinearModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  AddOnnxNode(graph, "Identity", "i", {"b"}, {"b2"});
  AddInt(*AddOnnxNode(graph, "Gemm", "fc2", {"y", "w", "b2"}, {"z"}), "transB", 1);
  const auto summary = DescribeOnnx(model.SerializeAsString());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->parameter_count, 6 + 3 + 3);
}

// y = c ? Gemm(x) : -x.
onnx::ModelProto BranchingModel() {
  onnx::ModelProto model = LinearModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.clear_node();
  onnx::NodeProto* node = AddOnnxNode(graph, "If", "choice", {"c"}, {"y"});
  const auto add_branch = [&](const char* name, const char* op,
                              const std::vector<std::string>& inputs) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::GRAPH);
    onnx::GraphProto* branch = attribute->mutable_g();
    branch->set_name(name);
    onnx::NodeProto* inner = AddOnnxNode(*branch, op, "", inputs, {"inner"});
    if (inputs.size() > 1) AddInt(*inner, "transB", 1);
    branch->add_output()->set_name("inner");
  };
  add_branch("then_branch", "Gemm", {"x", "w", "b"});
  add_branch("else_branch", "Frobnicate", {"x"});
  return model;
}

const OnnxSummary::OperatorCount* Find(const OnnxSummary& summary, absl::string_view op) {
  for (const auto& entry : summary.operators) {
    if (entry.op == op) return &entry;
  }
  return nullptr;
}

TEST(DescribeOnnx, FixedControlFlowIsWhatItRuns) {
  onnx::ModelProto model = BranchingModel();
  onnx::TensorProto* condition = model.mutable_graph()->add_initializer();
  condition->set_name("c");
  condition->set_data_type(onnx::TensorProto::BOOL);
  condition->add_int32_data(1);
  const auto summary = DescribeOnnx(model.SerializeAsString());
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_NE(Find(*summary, "If"), nullptr);
  EXPECT_TRUE(Find(*summary, "If")->supported);
  EXPECT_TRUE(Find(*summary, "If")->inlined);
  ASSERT_NE(Find(*summary, "Gemm"), nullptr);
  EXPECT_TRUE(Find(*summary, "Gemm")->supported);
  EXPECT_FALSE(Find(*summary, "Gemm")->inlined);
  EXPECT_EQ(Find(*summary, "Frobnicate"), nullptr);  // never run
  EXPECT_EQ(summary->parameter_count, 9);
  EXPECT_EQ(summary->node_count, 1);
  condition->set_int32_data(0, 0);
  const auto other = DescribeOnnx(model.SerializeAsString());
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_NE(Find(*other, "Frobnicate"), nullptr);
  EXPECT_FALSE(Find(*other, "Frobnicate")->supported);
}

TEST(DescribeOnnx, ControlFlowOnDataIsUnsupported) {
  onnx::ModelProto model = BranchingModel();
  AddInt(*AddOnnxNode(*model.mutable_graph(), "Cast", "", {"x"}, {"c"}), "to",
         onnx::TensorProto::BOOL);
  const auto summary = DescribeOnnx(model.SerializeAsString());
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_NE(Find(*summary, "If"), nullptr);
  EXPECT_EQ(Find(*summary, "If")->count, 1);
  EXPECT_FALSE(Find(*summary, "If")->supported);
  EXPECT_FALSE(Find(*summary, "If")->inlined);
}

TEST(DescribeOnnx, RefusesWhatIsNotOnnx) {
  EXPECT_EQ(DescribeOnnx("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DescribeOnnx("hello, world").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantry::engine
