#include "worker/engine/graph/verify.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

TEST(VerifyTest, GraphWithoutOutputIsBroken) {
  Graph graph;
  graph.AddNode("Relu", "r", {graph.AddInput("x", {})});
  const absl::Status status = Verify(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no output"));
}

TEST(VerifyTest, CycleIsBroken) {
  Graph graph;
  Node* a = graph.AddNode("Relu", "a", {nullptr});
  graph.SetInput(a, 0, a->output());
  graph.AddOutput(a->output());
  EXPECT_THAT(std::string(Verify(graph).message()), HasSubstr("node 'a' (Relu) is on a cycle"));
}

TEST(VerifyTest, ValuesOfAnotherGraphAreBroken) {
  Graph other;
  Value* foreign = other.AddInput("foreign", {});
  Graph graph;
  Node* node = graph.AddNode("Add", "sum", {graph.AddInput("x", {}), foreign});
  graph.AddOutput(node->output());
  EXPECT_THAT(std::string(Verify(graph).message()),
              HasSubstr("node 'sum' takes an input 1 that is not in the graph"));
  EXPECT_THAT(std::string(Verify(other).message()),
              HasSubstr("'foreign' is used by a node that is not in the graph"));
}

TEST(VerifyTest, DanglingOutputIsBroken) {
  Graph other;
  Graph graph;
  graph.AddInput("x", {});
  graph.AddOutput(other.AddInput("elsewhere", {}));
  EXPECT_THAT(std::string(Verify(graph).message()), HasSubstr("dangling"));
}

TEST(VerifyTest, InitializerThatANodeMakesIsBroken) {
  Graph graph;
  Node* node = graph.AddNode("Relu", "r", {graph.AddInput("x", {})});
  graph.AddOutput(node->output());
  ASSERT_TRUE(Verify(graph).ok());
  graph.SetTensor(node->output(), at::ones(1));
  EXPECT_EQ(Verify(graph).code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace quantry::engine
