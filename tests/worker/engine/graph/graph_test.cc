#include "worker/engine/graph/graph.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/engine/graph/verify.h"

namespace quantry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> NamesOf(const std::vector<Node*>& nodes) {
  std::vector<std::string> names;
  for (const Node* node : nodes) names.push_back(node->name());
  return names;
}

// x -> first -> second -> output; second also takes the parameter w.
struct Chain {
  Chain() {
    x = graph.AddInput("x", {.dtype = at::kFloat});
    w = graph.AddInitializer("w", at::ones({2, 3}), InitializerRole::kParameter);
    first = graph.AddNode("Relu", "first", {x});
    second = graph.AddNode("Add", "second", {first->output(), w}, {}, {"y"});
    graph.AddOutput(second->output());
  }

  Graph graph;
  Value* x;
  Value* w;
  Node* first;
  Node* second;
};

TEST(GraphTest, NamesAreUnique) {
  Graph graph;
  Value* a = graph.AddInput("a", {});
  EXPECT_EQ(graph.AddInput("a", {})->name(), "a_1");
  EXPECT_EQ(graph.AddInitializer("a", at::ones(1), InitializerRole::kBuffer)->name(), "a_2");
  EXPECT_EQ(graph.AddNode("Relu", "a", {a})->name(), "a");  // nodes have names of their own
  EXPECT_EQ(graph.AddNode("Relu", "a", {a})->name(), "a_1");
  const Node* unnamed = graph.AddNode("Relu", "", {a});
  EXPECT_FALSE(unnamed->name().empty());
  EXPECT_EQ(graph.FindNode(unnamed->name()), unnamed);
  EXPECT_EQ(graph.FindValue(unnamed->output()->name()), unnamed->output());
  EXPECT_EQ(graph.FindValue("nobody"), nullptr);
}

TEST(GraphTest, UsesFollowEdits) {
  Chain chain;
  EXPECT_THAT(chain.w->uses(), ElementsAre(Use{chain.second, 1}));
  chain.graph.SetInput(chain.second, 1, chain.first->output());
  EXPECT_TRUE(chain.w->uses().empty());
  EXPECT_THAT(chain.first->output()->uses(),
              ElementsAre(Use{chain.second, 0}, Use{chain.second, 1}));
  chain.graph.SetInput(chain.second, 3, chain.x);
  EXPECT_EQ(chain.second->inputs().size(), 4);
  EXPECT_EQ(chain.second->input(2), nullptr);
  EXPECT_EQ(chain.second->input(9), nullptr);
  EXPECT_TRUE(Verify(chain.graph).ok());
}

TEST(GraphTest, ReplaceAllUsesMovesOutputsAndSparesTheException) {
  Chain chain;
  Value* y = chain.second->output();
  Node* clip = chain.graph.AddNode("Clip", "clip", {y});
  chain.graph.ReplaceAllUses(y, clip->output(), clip);
  EXPECT_THAT(chain.graph.outputs(), ElementsAre(clip->output()));
  EXPECT_EQ(clip->input(0), y);
  EXPECT_TRUE(Verify(chain.graph).ok());

  chain.graph.ReplaceAllUses(chain.first->output(), chain.x);
  EXPECT_EQ(chain.second->input(0), chain.x);
  EXPECT_TRUE(chain.first->output()->uses().empty());
}

TEST(GraphTest, RenameGivesTheHolderASuffix) {
  Chain chain;
  Value* relu = chain.first->output();
  Value* y = chain.second->output();
  chain.graph.Rename(relu, "y");
  EXPECT_EQ(relu->name(), "y");
  EXPECT_EQ(y->name(), "y_1");
  EXPECT_EQ(chain.graph.FindValue("y"), relu);
  EXPECT_EQ(chain.graph.FindValue("y_1"), y);
  EXPECT_EQ(chain.graph.FindValue("first"), nullptr);
  EXPECT_TRUE(Verify(chain.graph).ok());
}

TEST(GraphTest, OrderFollowsEdgesThenInsertion) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Node* late = graph.AddNode("Relu", "late", {nullptr});
  Node* early = graph.AddNode("Relu", "early", {x});
  graph.AddNode("Relu", "free", {x});
  graph.SetInput(late, 0, early->output());
  EXPECT_THAT(NamesOf(graph.nodes()), ElementsAre("late", "early", "free"));
  const auto order = graph.TopologicalOrder();
  ASSERT_TRUE(order.ok());
  EXPECT_THAT(NamesOf(*order), ElementsAre("early", "late", "free"));
}

TEST(GraphTest, CycleIsNamed) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Node* a = graph.AddNode("Add", "a", {x, nullptr});
  Node* b = graph.AddNode("Relu", "b", {a->output()});
  Node* behind = graph.AddNode("Relu", "behind", {b->output()});
  graph.AddOutput(behind->output());
  graph.SetInput(a, 1, b->output());
  const auto order = graph.TopologicalOrder();
  EXPECT_EQ(order.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(order.status().message()), HasSubstr("is on a cycle"));
  EXPECT_THAT(std::string(order.status().message()), ::testing::Not(HasSubstr("behind")));
}

TEST(GraphTest, RemoveDeadKeepsInputsAndWhatOutputsNeed) {
  Chain chain;
  Value* unused = chain.graph.AddInput("unused", {});
  Value* lost = chain.graph.AddInitializer("lost", at::ones(1), InitializerRole::kConstant);
  Node* dead = chain.graph.AddNode("Add", "dead", {chain.first->output(), lost});
  chain.graph.AddNode("Relu", "dead_too", {dead->output()});
  chain.graph.RemoveDead();
  EXPECT_THAT(NamesOf(chain.graph.nodes()), ElementsAre("first", "second"));
  EXPECT_EQ(chain.graph.FindValue("lost"), nullptr);
  EXPECT_EQ(chain.graph.FindValue("dead"), nullptr);
  EXPECT_EQ(chain.graph.FindNode("dead"), nullptr);
  EXPECT_EQ(chain.graph.FindValue("unused"), unused);
  EXPECT_EQ(chain.graph.FindValue("w"), chain.w);
  EXPECT_THAT(chain.first->output()->uses(), ElementsAre(Use{chain.second, 0}));
  EXPECT_TRUE(Verify(chain.graph).ok());
}

TEST(GraphTest, RemoveNodeTakesItsOutputsAlong) {
  Chain chain;
  Node* dead = chain.graph.AddNode("Relu", "dead", {chain.x});
  chain.graph.RemoveNode(dead);
  EXPECT_EQ(chain.graph.FindNode("dead"), nullptr);
  EXPECT_EQ(chain.graph.FindValue("dead"), nullptr);
  EXPECT_THAT(chain.x->uses(), ElementsAre(Use{chain.first, 0}));
}

TEST(GraphTest, CloneSharesNothing) {
  Chain chain;
  chain.graph.name = "net";
  chain.second->attributes["axis"] = int64_t{1};
  chain.w->tensor().requires_grad_(true);
  Graph copy = chain.graph.Clone();
  ASSERT_TRUE(Verify(copy).ok());
  EXPECT_EQ(copy.name, "net");
  EXPECT_EQ(copy.FindNode("second")->Int("axis", 0), 1);
  Value* twin = copy.FindValue("w");
  ASSERT_NE(twin, chain.w);
  EXPECT_EQ(twin->role(), InitializerRole::kParameter);
  EXPECT_TRUE(twin->tensor().requires_grad());
  EXPECT_TRUE(twin->tensor().is_leaf());
  {
    const at::NoGradGuard no_grad;
    twin->tensor().zero_();
  }
  EXPECT_TRUE(at::equal(chain.w->tensor(), at::ones({2, 3})));
  copy.RemoveNode(copy.AddNode("Relu", "more", {twin}));
  EXPECT_EQ(chain.graph.nodes().size(), 2);
}

TEST(GraphTest, MovedGraphKeepsItsPointers) {
  Chain chain;
  const Graph moved = std::move(chain.graph);
  EXPECT_EQ(moved.FindValue("w"), chain.w);
  EXPECT_TRUE(Verify(moved).ok());
}

TEST(GraphTest, InitializersByRoleAndParameterCount) {
  Chain chain;
  Value* mean = chain.graph.AddInitializer("mean", at::zeros({4}), InitializerRole::kBuffer);
  EXPECT_THAT(chain.graph.initializers(), ElementsAre(mean, chain.w));
  EXPECT_THAT(chain.graph.initializers(InitializerRole::kParameter), ElementsAre(chain.w));
  EXPECT_EQ(chain.graph.ParameterCount(), 6);
  chain.graph.SetRole(mean, InitializerRole::kParameter);
  chain.graph.SetTensor(mean, at::zeros({5, 2}, at::kDouble));
  EXPECT_EQ(chain.graph.ParameterCount(), 16);
  EXPECT_EQ(ToString(mean->type), "float64[5,2]");
}

TEST(NodeTest, AttributesHaveFallbacks) {
  Graph graph;
  Node* node = graph.AddNode("X", "x", {},
                             {{"i", int64_t{3}},
                              {"f", 0.5f},
                              {"s", std::string("text")},
                              {"l", std::vector<int64_t>{1, 2}}});
  EXPECT_EQ(node->Int("i", 7), 3);
  EXPECT_EQ(node->Int("absent", 7), 7);
  EXPECT_EQ(node->Float("f", 1.0f), 0.5f);
  EXPECT_EQ(node->String("s", ""), "text");
  EXPECT_THAT(node->Ints("l"), ElementsAre(1, 2));
  EXPECT_THAT(node->Ints("absent", {9}), ElementsAre(9));
  EXPECT_TRUE(node->HasAttribute("i"));
  EXPECT_FALSE(node->HasAttribute("absent"));
}

}  // namespace
}  // namespace quantry::engine
