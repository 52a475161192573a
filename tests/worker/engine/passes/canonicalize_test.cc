#include "worker/engine/passes/canonicalize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "worker/engine/graph/print.h"
#include "worker/engine/graph/verify.h"

namespace quantry::engine {
namespace {

ValueType Image() { return {at::kFloat, std::vector<Dimension>{std::nullopt, 8, 4, 4}}; }

Value* Constant(Graph& graph, at::Tensor tensor) {
  return graph.AddInitializer("", std::move(tensor), InitializerRole::kConstant);
}

Value* Scalar(Graph& graph, float value) {
  return Constant(graph, at::full({}, value, at::kFloat));
}

Value* Long(Graph& graph, const std::vector<int64_t>& values) {
  return Constant(graph, at::tensor(values, at::kLong));
}

std::vector<std::string> Ops(const Graph& graph) {
  std::vector<std::string> ops;
  const auto order = graph.TopologicalOrder();
  EXPECT_TRUE(order.ok()) << order.status();
  for (const Node* node : *order) ops.push_back(node->op());
  return ops;
}

void RunTwice(Graph& graph) {
  const absl::Status first = Canonicalize(graph);
  ASSERT_TRUE(first.ok()) << first;
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  const std::string text = Print(graph);
  ASSERT_TRUE(Canonicalize(graph).ok());
  EXPECT_EQ(Print(graph), text);
}

using Strings = std::vector<std::string>;

TEST(Canonicalize, RemovesIdentitiesAndKeepsOutputNames) {
  Graph graph;
  Value* x = graph.AddInput("x", Image());
  Value* a = graph.AddNode("Identity", "i1", {x})->output();
  Value* b = graph.AddNode("Relu", "r", {a})->output();
  Value* c = graph.AddNode("Identity", "i2", {b}, {}, {"y"})->output();
  graph.AddOutput(c);
  RunTwice(graph);
  EXPECT_EQ(Ops(graph), Strings({"Relu"}));
  EXPECT_EQ(graph.outputs()[0]->name(), "y");
}

TEST(Canonicalize, KeepsAnIdentityBetweenInputAndOutput) {
  Graph graph;
  Value* x = graph.AddInput("x", Image());
  graph.AddOutput(graph.AddNode("Identity", "i", {x}, {}, {"y"})->output());
  RunTwice(graph);
  EXPECT_EQ(Ops(graph), Strings({"Identity"}));
  EXPECT_EQ(graph.outputs()[0]->name(), "y");
}

// x.view(x.size(0), -1), as torch exports it.
TEST(Canonicalize, FlattensAReshapeMadeOfTheBatchSize) {
  Graph graph;
  Value* x = graph.AddInput("x", Image());
  Value* shape = graph.AddNode("Shape", "s", {x})->output();
  Value* index = Constant(graph, at::full({}, 0, at::kLong));
  Value* batch = graph.AddNode("Gather", "g", {shape, index}, {{"axis", int64_t{0}}})->output();
  Value* list = graph.AddNode("Unsqueeze", "u", {batch, Long(graph, {0})})->output();
  Value* target =
      graph.AddNode("Concat", "c", {list, Long(graph, {-1})}, {{"axis", int64_t{0}}})->output();
  graph.AddOutput(graph.AddNode("Reshape", "view", {x, target}, {}, {"y"})->output());
  RunTwice(graph);
  EXPECT_EQ(Ops(graph), Strings({"Flatten"}));
  EXPECT_EQ(graph.outputs()[0]->name(), "y");
  EXPECT_TRUE(graph.initializers().empty());
}

TEST(Canonicalize, FlattensAConstantReshapeButNotAnother) {
  const std::vector<std::pair<std::vector<int64_t>, bool>> cases = {
      {{0, -1}, true}, {{-1, 128}, false}, {{0, 8, -1}, false}};
  for (const auto& [target, flat] : cases) {
    Graph graph;
    Value* x = graph.AddInput("x", Image());
    graph.AddOutput(graph.AddNode("Reshape", "r", {x, Long(graph, target)})->output());
    RunTwice(graph);
    EXPECT_EQ(Ops(graph), Strings({flat ? "Flatten" : "Reshape"}));
  }
}

TEST(Canonicalize, FoldsArithmeticOfKnownSizes) {
  Graph graph;
  Value* x = graph.AddInput("x", Image());
  Value* shape = graph.AddNode("Shape", "s", {x})->output();
  Value* channels =
      graph.AddNode("Gather", "g", {shape, Long(graph, {1})}, {{"axis", int64_t{0}}})->output();
  Value* half = graph.AddNode("Div", "d", {channels, Long(graph, {2})})->output();
  Value* target =
      graph.AddNode("Concat", "c", {Long(graph, {-1}), half}, {{"axis", int64_t{0}}})->output();
  graph.AddOutput(graph.AddNode("Reshape", "r", {x, target})->output());
  RunTwice(graph);
  ASSERT_EQ(Ops(graph), Strings({"Reshape"}));
  const Value* folded = graph.FindNode("r")->input(1);
  ASSERT_TRUE(folded->is_initializer());
  EXPECT_TRUE(folded->tensor().equal(at::tensor({-1, 4}, at::kLong))) << folded->tensor();
}

// What training the result would be the same as training the parameter it comes from.
TEST(Canonicalize, FoldsLayoutsOfParametersIntoParameters) {
  Graph graph;
  Value* w = graph.AddInitializer("w", at::ones({8, 3}), InitializerRole::kParameter);
  Value* turned = graph.AddNode("Transpose", "t", {w})->output();
  Value* scaled = graph.AddNode("Mul", "m", {turned, Scalar(graph, 2)})->output();
  Value* both = graph.AddNode("Concat", "c", {scaled, turned}, {{"axis", 0}})->output();
  Value* x = graph.AddInput("x", Image());
  graph.AddOutput(graph.AddNode("MatMul", "linear", {x, both})->output());
  RunTwice(graph);
  EXPECT_EQ(Ops(graph), Strings({"MatMul"}));
  EXPECT_EQ(graph.FindNode("linear")->input(1)->role(), InitializerRole::kParameter);
}

TEST(Canonicalize, KeepsWhatWouldTrainOtherwise) {
  Graph graph;
  Value* w = graph.AddInitializer("w", at::ones({4}), InitializerRole::kParameter);
  Value* zeros = Constant(graph, at::zeros({4}));
  Value* index = Constant(graph, at::tensor({0, 0, 1, 3}, at::kLong));
  Value* size = Constant(graph, at::tensor({4, 4}, at::kLong));
  Value* mask = Constant(graph, at::ones({4}, at::kBool));
  const std::vector<Value*> results = {
      graph.AddNode("Concat", "joined", {w, zeros}, {{"axis", 0}})->output(),
      graph.AddNode("Mul", "pruned", {w, zeros})->output(),
      graph.AddNode("Where", "masked", {mask, w, Scalar(graph, 0)})->output(),
      graph.AddNode("Gather", "looked_up", {w, index})->output(),
      graph.AddNode("Expand", "expanded", {w, size})->output(),
  };
  Value* x = graph.AddInput("x", Image());
  for (Value* result : results) {
    graph.AddOutput(
        graph.AddNode("Add", result->producer()->name() + "_add", {x, result})->output());
  }
  RunTwice(graph);
  for (const char* node : {"joined", "pruned", "masked", "looked_up", "expanded"}) {
    EXPECT_NE(graph.FindNode(node), nullptr) << node;
  }
  EXPECT_EQ(w->role(), InitializerRole::kParameter);
}

TEST(Canonicalize, NeverFoldsHugeBroadcasts) {
  Graph graph;
  Value* column = Constant(graph, at::ones({100000, 1}));
  Value* row = Constant(graph, at::ones({1, 100000}));
  Value* huge = graph.AddNode("Add", "a", {column, row})->output();
  Value* x = graph.AddInput("x", Image());
  graph.AddOutput(graph.AddNode("Add", "c", {x, huge})->output());
  RunTwice(graph);
  EXPECT_NE(graph.FindNode("a"), nullptr);
}

Graph HardSigmoidProduct(float alpha, bool swapped) {
  Graph graph;
  Value* x = graph.AddInput("x", Image());
  Value* s = graph.AddNode("HardSigmoid", "s", {x}, {{"alpha", alpha}})->output();
  graph.AddOutput(graph
                      .AddNode("Mul", "act/Mul",
                               swapped ? std::vector<Value*>{s, x} : std::vector<Value*>{x, s}, {},
                               {"y"})
                      ->output());
  return graph;
}

TEST(Canonicalize, FusesHardSwish) {
  for (const bool swapped : {false, true}) {
    Graph graph = HardSigmoidProduct(1.0f / 6.0f, swapped);
    RunTwice(graph);
    EXPECT_EQ(Ops(graph), Strings({"HardSwish"}));
    EXPECT_EQ(graph.outputs()[0]->name(), "y");
    EXPECT_NE(graph.FindNode("act/HardSwish"), nullptr);
  }
}

TEST(Canonicalize, LeavesWhatIsNotQuiteHardSwish) {
  Graph slope = HardSigmoidProduct(0.2f, false);
  RunTwice(slope);
  EXPECT_EQ(Ops(slope), Strings({"HardSigmoid", "Mul"}));

  Graph read_elsewhere = HardSigmoidProduct(1.0f / 6.0f, false);
  read_elsewhere.AddOutput(read_elsewhere.FindNode("s")->output());
  RunTwice(read_elsewhere);
  EXPECT_EQ(Ops(read_elsewhere), Strings({"HardSigmoid", "Mul"}));

  Graph squeeze;  // the gate of another value, as in squeeze-and-excitation
  Value* x = squeeze.AddInput("x", Image());
  Value* pooled = squeeze.AddNode("GlobalAveragePool", "p", {x})->output();
  Value* gate = squeeze.AddNode("HardSigmoid", "s", {pooled}, {{"alpha", 1.0f / 6.0f}})->output();
  squeeze.AddOutput(squeeze.AddNode("Mul", "m", {gate, x})->output());
  RunTwice(squeeze);
  EXPECT_EQ(Ops(squeeze), Strings({"GlobalAveragePool", "HardSigmoid", "Mul"}));
}

TEST(Canonicalize, FusesHardSwishWrittenWithClip) {
  for (const float divisor : {6.0f, 5.0f}) {
    Graph graph;
    Value* x = graph.AddInput("x", Image());
    Value* sum = graph.AddNode("Add", "a", {x, Scalar(graph, 3)})->output();
    Value* clip = graph.AddNode("Clip", "c", {sum, Scalar(graph, 0), Scalar(graph, 6)})->output();
    Value* product = graph.AddNode("Mul", "m", {x, clip})->output();
    graph.AddOutput(graph.AddNode("Div", "d", {product, Scalar(graph, divisor)})->output());
    RunTwice(graph);
    if (divisor == 6.0f) {
      EXPECT_EQ(Ops(graph), Strings({"HardSwish"}));
      EXPECT_TRUE(graph.initializers().empty());
    } else {
      EXPECT_EQ(Ops(graph), Strings({"Add", "Clip", "Mul", "Div"}));
    }
  }
}

TEST(Canonicalize, RemovesWhatNobodyUsesAndKeepsDropout) {
  Graph graph;
  Value* x = graph.AddInput("x", Image());
  graph.AddInitializer("unused", at::ones({3}), InitializerRole::kParameter);
  graph.AddNode("Relu", "dead", {x});
  graph.AddOutput(graph.AddNode("Dropout", "drop", {x, Scalar(graph, 0.5f)})->output());
  RunTwice(graph);
  EXPECT_EQ(Ops(graph), Strings({"Dropout"}));
  EXPECT_EQ(graph.initializers().size(), 1u);
}

}  // namespace
}  // namespace quantry::engine
