#include "worker/engine/graph/print.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace quantry::engine {
namespace {

TEST(PrintTest, OneNodeALine) {
  Graph graph;
  graph.name = "mobilenet";
  Value* x = graph.AddInput(
      "input", {.dtype = at::kFloat, .shape = std::vector<Dimension>{std::nullopt, 3, 8, 8}});
  Value* weight =
      graph.AddInitializer("conv1.weight", at::ones({4, 3, 3, 3}), InitializerRole::kParameter);
  Value* most = graph.AddInitializer("most", at::scalar_tensor(6.0), InitializerRole::kConstant);
  graph.AddInitializer("steps", at::zeros({2}, at::kLong), InitializerRole::kBuffer);
  Node* conv = graph.AddNode("Conv", "conv1", {x, weight},
                             {{"strides", std::vector<int64_t>{2, 2}},
                              {"auto_pad", std::string("VALID")},
                              {"group", int64_t{1}}},
                             {"x1"});
  Node* clip = graph.AddNode("Clip", "relu6", {conv->output(), nullptr, most}, {}, {"logits"});
  graph.AddOutput(clip->output());
  EXPECT_EQ(Print(graph),
            "graph mobilenet (%input: float32[?,3,8,8]) -> (%logits)\n"
            "  param %conv1.weight: float32[4,3,3,3]\n"
            "  const %most: float32[]\n"
            "  buffer %steps: int64[2]\n"
            "  %x1 = Conv[auto_pad='VALID', group=1, strides=[2,2]](%input, %conv1.weight)"
            "  # conv1\n"
            "  %logits = Clip(%x1, _, %most)  # relu6\n");
}

TEST(PrintTest, CyclesArePrintedToo) {
  Graph graph;
  Node* a = graph.AddNode("Relu", "a", {nullptr});
  graph.SetInput(a, 0, a->output());
  EXPECT_EQ(Print(graph), "graph  () -> ()\n  %a = Relu(%a)  # a\n");
}

TEST(TypesTest, UnknownPartsAreQuestionMarks) {
  EXPECT_EQ(ToString(ValueType{}), "??");
  EXPECT_EQ(ToString(ValueType{.dtype = at::kHalf}), "float16?");
  EXPECT_EQ(ToString(TypeOf(at::zeros({0, 2}, at::kChar))), "int8[0,2]");
}

}  // namespace
}  // namespace quantry::engine
