#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/ops/operator_cases.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(absl::string_view op, std::vector<Value*> inputs, Graph& graph,
                    AttributeMap attributes = {}, std::vector<std::string> outputs = {""}) {
  graph.AddNode(op, "n", std::move(inputs), std::move(attributes), std::move(outputs));
  const absl::Status status = VerifyOperators(graph);
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

// The error of a node with `count` inputs.
std::string ErrorOf(absl::string_view op, size_t count, AttributeMap attributes = {},
                    std::vector<std::string> outputs = {""}) {
  Graph graph;
  const std::vector<Value*> inputs(count, graph.AddInput("x", {}));
  return ErrorOf(op, inputs, graph, std::move(attributes), std::move(outputs));
}

TEST(VerifyOperatorsTest, UnknownOperatorNamesNearOnes) {
  EXPECT_THAT(ErrorOf("Convs", 2),
              AllOf(HasSubstr("node 'n': operator 'Convs' is not supported"), HasSubstr("'Conv'")));
  EXPECT_THAT(ErrorOf("com.example.Mystery", 1), HasSubstr("'com.example.Mystery'"));
}

TEST(VerifyOperatorsTest, Arity) {
  EXPECT_THAT(ErrorOf("Relu", 2), HasSubstr("node 'n' (Relu): has 2 inputs; 1 are allowed"));
  EXPECT_THAT(ErrorOf("Conv", 1), HasSubstr("has 1 inputs; 2 to 3 are allowed"));
  EXPECT_THAT(ErrorOf("Concat", 0, {{"axis", int64_t{0}}}), HasSubstr("1 or more"));
  EXPECT_THAT(ErrorOf("Relu", 1, {}, {"", ""}), HasSubstr("has 2 outputs"));
  Graph graph;
  Value* x = graph.AddInput("x", {});
  EXPECT_THAT(ErrorOf("Add", {x, nullptr}, graph), HasSubstr("input 1 is missing"));
}

TEST(VerifyOperatorsTest, Attributes) {
  EXPECT_THAT(ErrorOf("Concat", 1), HasSubstr("attribute 'axis' is missing"));
  EXPECT_THAT(ErrorOf("Concat", 1, {{"axis", 1.0f}}), HasSubstr("'axis' must be an integer"));
  EXPECT_THAT(ErrorOf("Conv", 2, {{"pads", int64_t{1}}}),
              HasSubstr("'pads' must be a list of integers"));
  EXPECT_THAT(ErrorOf("Relu", 1, {{"slope", 1.0f}}),
              HasSubstr("attribute 'slope' is not supported"));
  EXPECT_THAT(ErrorOf("Flatten", 1, {{"axes", int64_t{1}}}),
              AllOf(HasSubstr("'axes' is not supported"), HasSubstr("known are axis")));
}

TEST(VerifyOperatorsTest, ValuesOfAttributes) {
  EXPECT_THAT(ErrorOf("Flatten", 1, {{"axis", int64_t{99}}}),
              HasSubstr("'axis' is 99; allowed are -16 to 16"));
  EXPECT_THAT(ErrorOf("Conv", 2, {{"strides", Ints{0, 1}}}),
              HasSubstr("'strides' is [0, 1]; it must have 2 elements of 1 to 65535"));
  EXPECT_THAT(ErrorOf("Conv", 2, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1}}}),
              HasSubstr("'pads' is [1, 1]; it must have 4 elements"));
  EXPECT_THAT(ErrorOf("Conv", 2, {{"auto_pad", std::string("MAYBE")}}),
              HasSubstr("'auto_pad' is 'MAYBE'; allowed are NOTSET, VALID"));
  EXPECT_THAT(ErrorOf("Conv", 2, {{"group", int64_t{0}}}), HasSubstr("'group' is 0"));
  EXPECT_THAT(ErrorOf("MaxPool", 1, {{"kernel_shape", Ints{2}}, {"strides", Ints{2, 2}}}),
              HasSubstr("'strides' is [2, 2]; it must have 1 elements"));
  EXPECT_THAT(ErrorOf("AveragePool", 1, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{0, 2}}}),
              HasSubstr("'dilations' is [0, 2]; it must have 2 elements of 1"));
  EXPECT_THAT(ErrorOf("BatchNormalization", 5, {{"momentum", 1.5f}}),
              HasSubstr("'momentum' is 1.5; allowed are 0 to 1"));
  EXPECT_THAT(ErrorOf("BatchNormalization", 5, {{"epsilon", -1.0f}}), HasSubstr("'epsilon' is -1"));
  EXPECT_THAT(ErrorOf("Cast", 1, {{"to", int64_t{8}}}), HasSubstr("'to' is 8"));
  EXPECT_THAT(ErrorOf("Pad", 2, {{"mode", std::string("turn")}}), HasSubstr("'mode' is 'turn'"));
  EXPECT_THAT(ErrorOf("Gemm", 2, {{"transA", int64_t{2}}}), HasSubstr("'transA' is 2"));
  EXPECT_THAT(ErrorOf("Gemm", 2, {{"alpha", std::numeric_limits<float>::infinity()}}),
              HasSubstr("'alpha' is inf; it must be finite"));
}

TEST(VerifyOperatorsTest, ConstantInputs) {
  Graph dropout;
  Value* x = dropout.AddInput("x", {});
  Value* ratio = dropout.AddInitializer("r", at::scalar_tensor(1.5f), InitializerRole::kConstant);
  EXPECT_THAT(ErrorOf("Dropout", {x, ratio}, dropout), HasSubstr("(ratio) is 1.5"));
  Graph conv;
  Value* weight = conv.AddInitializer("w", at::ones({3, 3}), InitializerRole::kParameter);
  EXPECT_THAT(ErrorOf("Conv", {conv.AddInput("x", {}), weight}, conv),
              HasSubstr("weight 'w' is float32[3,3]; it must have 3 to 5 dimensions"));
}

// A layer on a weight of `sizes`, with or without FakeQuantize between them.
struct Layer {
  Layer(absl::string_view op, at::IntArrayRef sizes, AttributeMap attributes = {},
        bool quantized = false) {
    Value* weight = graph.AddInitializer("w", at::ones(sizes), InitializerRole::kParameter);
    if (quantized) weight = graph.AddNode("quantry.FakeQuantize", "q", {weight})->output();
    node = graph.AddNode(op, "n", {graph.AddInput("x", {}), weight}, std::move(attributes));
  }

  std::string type() const { return FindOperator(node->op())->layer_type(*node); }
  int64_t axis() const { return FindOperator(node->op())->weight_axis(*node); }

  Graph graph;
  Node* node;
};

TEST(LayerTypeTest, NamesOfTheReference) {
  EXPECT_EQ(Layer("Conv", {4, 3, 3, 3}).type(), "Conv2D");
  EXPECT_EQ(Layer("Conv", {4, 3, 3, 3}, {}, /*quantized=*/true).type(), "Conv2D");
  EXPECT_EQ(Layer("Conv", {4, 3, 3}).type(), "Conv1D");
  EXPECT_EQ(Layer("ConvTranspose", {4, 3, 3, 3}).type(), "Conv2DTranspose");
  EXPECT_EQ(Layer("Gemm", {4, 3}).type(), "Linear");
  EXPECT_EQ(Layer("MatMul", {4, 3}).type(), "Linear");
  EXPECT_EQ(Layer("MatMul", {2, 4, 3}).type(), "");
  Graph graph;
  Value* x = graph.AddInput("x", {});
  EXPECT_EQ(FindOperator("MatMul")->layer_type(*graph.AddNode("MatMul", "", {x, x})), "MatMul");
}

TEST(LayerTypeTest, AxisOfOutputChannels) {
  EXPECT_EQ(Layer("Conv", {4, 3, 3, 3}).axis(), 0);
  EXPECT_EQ(Layer("ConvTranspose", {4, 3, 3, 3}).axis(), 1);
  EXPECT_EQ(Layer("Gemm", {4, 3}, {{"transB", int64_t{1}}}).axis(), 0);
  EXPECT_EQ(Layer("Gemm", {4, 3}).axis(), 1);
  EXPECT_EQ(Layer("MatMul", {4, 3}).axis(), 1);
}

TEST(KindOfInputTest, LastKindRepeats) {
  const OperatorDef& conv = *FindOperator("Conv");
  EXPECT_EQ(KindOfInput(conv, 0), InputKind::kActivation);
  EXPECT_EQ(KindOfInput(conv, 1), InputKind::kWeight);
  EXPECT_EQ(KindOfInput(conv, 2), InputKind::kBias);
  EXPECT_EQ(KindOfInput(*FindOperator("Clip"), 2), InputKind::kStatic);
  EXPECT_EQ(KindOfInput(*FindOperator("Add"), 1), InputKind::kActivation);
}

}  // namespace
}  // namespace quantry::engine
