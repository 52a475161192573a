#include "worker/engine/fuse/chain_nodes.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/worker/engine/fuse/chain_graph.h"
#include "tests/worker/engine/fuse/fused_runs.h"
#include "worker/engine/fuse/fused_operator.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MatchChain, TakesAllThereIs) {
  EXPECT_THAT(Fused(ChainGraph({.inner = true, .add = true}, 4)),
              ElementsAre(ElementsAre("norm", "inner", "add", "activation", "outer")));
  EXPECT_THAT(Fused(ChainGraph({.norm = false, .activation = "HardSwish"}, 4)),
              ElementsAre(ElementsAre("activation", "outer")));
  EXPECT_THAT(Fused(ChainGraph({.activation = ""}, 4)), ElementsAre(ElementsAre("norm", "outer")));
}

TEST(MatchChain, OneNodeIsNoChainButForAQuantizer) {
  EXPECT_THAT(Fused(ChainGraph({.activation = "", .outer = false}, 4)), IsEmpty());
  EXPECT_THAT(Fused(ChainGraph({.norm = false, .outer = false}, 4)), IsEmpty());
  EXPECT_THAT(Fused(ChainGraph({.norm = false, .activation = ""}, 4)),
              ElementsAre(ElementsAre("outer")));
}

TEST(MatchChain, EndsAtAValueThatOthersRead) {
  Graph graph = ChainGraph({.inner = true, .add = true}, 4);
  graph.AddOutput(graph.FindNode("add")->output());
  EXPECT_THAT(Fused(graph),
              ElementsAre(ElementsAre("norm", "inner", "add"), ElementsAre("activation", "outer")));
}

TEST(MatchChain, AGridThatManyReadEndsAChain) {
  Graph graph = ChainGraph({}, 4);
  Value* grid = graph.FindNode("outer")->output();
  graph.AddOutput(graph.AddNode("Relu", "first", {grid})->output());
  graph.AddOutput(graph.AddNode("Relu", "second", {grid})->output());
  EXPECT_THAT(Fused(graph), ElementsAre(ElementsAre("norm", "activation", "outer")));
}

// Two branches meet in an Add: one of them goes on with it, the other is its operand.
TEST(MatchChain, AnAddBelongsToOneBranch) {
  Graph graph = ChainGraph({.inner = true, .add = true}, 4);
  Value* x = graph.FindValue("x");
  const Node* norm = graph.FindNode("norm");
  std::vector<Value*> inputs = norm->inputs();
  inputs[0] = x;
  Node* second = graph.AddNode("BatchNormalization", "second_norm", inputs);
  Node* relu = graph.AddNode("Relu", "second_relu", {second->output()});
  graph.SetInput(graph.FindNode("add"), 1, relu->output());
  EXPECT_THAT(Fused(graph), ElementsAre(ElementsAre("norm", "inner", "add", "activation", "outer"),
                                        ElementsAre("second_norm", "second_relu")));
}

TEST(MatchChain, LeavesTheReferencesQuantizers) {
  Graph graph = ChainGraph({}, 4);
  Node* outer = graph.FindNode("outer");
  FakeQuantizeSpec spec = SpecOf(*outer);
  UseReference(spec);
  outer->attributes = ToAttributes(spec);
  EXPECT_THAT(Fused(graph), ElementsAre(ElementsAre("norm", "activation")));
}

TEST(MatchChain, BoundsThatAreComputedAreLeft) {
  Graph graph = ChainGraph({.activation = "Relu6"}, 4);
  Value* bound = graph.AddInput("bound", {});
  graph.SetInput(graph.FindNode("activation"), 2, bound);
  EXPECT_THAT(Fused(graph), ElementsAre(ElementsAre("outer")));
}

TEST(MatchChain, TwiceTheSameIsNoOperand) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Node* add = graph.AddNode("Add", "add", {x, x});
  graph.AddOutput(graph.AddNode("Relu", "relu", {add->output()})->output());
  EXPECT_THAT(Fused(graph), IsEmpty());
}

}  // namespace
}  // namespace quantry::engine
