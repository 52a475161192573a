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

TEST(DescribeOnnx, RefusesWhatIsNotOnnx) {
  EXPECT_EQ(DescribeOnnx("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DescribeOnnx("hello, world").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantry::engine
