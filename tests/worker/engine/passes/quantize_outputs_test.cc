#include "worker/engine/passes/quantize_outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/non_negative.h"

namespace quantry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

QuantPlan PlanFor(const Graph& graph, const QuantConfig& config) {
  QuantPlan plan = Annotate(graph, config, {}).value();
  FitToProfile(graph, config, plan);
  return plan;
}

// "value/bits" of every planned activation, with the slots that read it.
std::map<std::string, std::set<std::string>> Activations(const QuantPlan& plan) {
  std::map<std::string, std::set<std::string>> found;
  for (const PlannedTensor& tensor : plan.tensors) {
    if (tensor.spec.is_weight) continue;
    auto& slots = found[tensor.value->name() + "/" + std::to_string(tensor.spec.bits)];
    for (const Use& use : tensor.uses) {
      slots.insert(use.node->name() + ":" + std::to_string(use.index));
    }
  }
  return found;
}

std::string Text(const std::map<std::string, std::set<std::string>>& found) {
  std::string text;
  for (const auto& [tensor, slots] : found) {
    text += tensor + " ->";
    for (const std::string& slot : slots) text += " " + slot;
    text += "\n";
  }
  return text;
}

TEST(FitToProfileTest, OnnxRuntimeNeedsAQuantizerBehindEveryConvolution) {
  const Graph graph = BuildSmallNet(1);
  EXPECT_EQ(Text(Activations(PlanFor(graph, {}))),
            "depthwise.relu/8 -> join:0\n"
            "dropout/8 -> head:0\n"
            "input/8 -> stem:0\n"
            "skip/8 -> join:1\n"
            "stem.relu/8 -> depthwise:0 skip:0\n");
}

TEST(FitToProfileTest, OtherProfilesGetNothingMore) {
  const Graph graph = BuildSmallNet(1);
  for (const char* profile : {"tensorrt", "openvino", "paddle"}) {
    QuantConfig config;
    config.profile = profile;
    EXPECT_EQ(Text(Activations(PlanFor(graph, config))),
              "dropout/8 -> head:0\n"
              "input/8 -> stem:0\n"
              "stem.relu/8 -> depthwise:0 skip:0\n")
        << profile;
  }
}

TEST(FitToProfileTest, LayersThatStayFloatGetNoOutputQuantizer) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.not_quant_pattern = {"skip", "depthwise"};
  EXPECT_EQ(Text(Activations(PlanFor(graph, config))),
            "dropout/8 -> head:0\n"
            "input/8 -> stem:0\n");
}

TEST(FitToProfileTest, TwiceIsAsOnce) {
  for (const int bits : {4, 8}) {
    const Graph graph = BuildSmallNet(1);
    QuantConfig config;
    config.activation_bits = bits;
    QuantPlan plan = PlanFor(graph, config);
    const std::string once = Text(Activations(plan));
    FitToProfile(graph, config, plan);
    EXPECT_EQ(Text(Activations(plan)), once);
  }
}

TEST(FitToProfileTest, MoreThanEightBitsHaveNoKernelsToFit) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.activation_bits = 16;
  EXPECT_EQ(Activations(PlanFor(graph, config)).size(), 3u);
}

TEST(FitToProfileTest, WhatCantBeNegativeIsUnsigned) {
  const Graph graph = BuildSmallNet(1);
  const auto unsigned_tensors = [&](const QuantConfig& config) {
    std::set<std::string> names;
    for (const PlannedTensor& tensor : PlanFor(graph, config).tensors) {
      if (!tensor.spec.symmetric) names.insert(tensor.value->name());
    }
    return names;
  };
  EXPECT_THAT(unsigned_tensors({}), ElementsAre("depthwise.relu", "stem.relu"));
  QuantConfig config;
  config.profile = "openvino";
  EXPECT_THAT(unsigned_tensors(config), ElementsAre("stem.relu"));
  config.profile = "tensorrt";
  EXPECT_TRUE(unsigned_tensors(config).empty());
  config = {};
  config.activation_dtype = "int8";
  EXPECT_TRUE(unsigned_tensors(config).empty());
  config = {};
  config.activation_quantize_type = "lsq_act";
  EXPECT_TRUE(unsigned_tensors(config).empty());
}

// stem -> Relu -> MaxPool -> {a (4 bits), Add}: the pool's output is quantized to 8 bits first.
TEST(FitToProfileTest, FewerBitsQuantizeTheEightBitTensor) {
  at::manual_seed(2);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  x = AddConv(graph, "stem", x, 3, 4, 1, /*norm=*/true);
  x = graph.AddNode("Relu", "relu", {x})->output();
  x = graph.AddNode("MaxPool", "pool", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})
          ->output();
  Value* a = AddConv(graph, "a", x, 4, 4, 1, /*norm=*/false);
  graph.AddOutput(graph.AddNode("Add", "join", {x, a})->output());
  QuantConfig config;
  config.activation_bits = 4;
  const QuantPlan plan = PlanFor(graph, config);
  EXPECT_EQ(Text(Activations(plan)),
            "a/8 -> join:1\n"
            "input/4 -> stem:0\n"
            "pool/4 -> a:0\n"
            "pool/8 -> join:0\n");
  InsertFakeQuant(graph, plan);
  const Node* four_bits = graph.FindNode("a")->input(0)->producer();
  const Node* eight_bits = four_bits->input(0)->producer();
  EXPECT_EQ(four_bits->Int("bits", 0), 4);
  EXPECT_EQ(eight_bits->Int("bits", 0), 8);
  EXPECT_EQ(eight_bits->input(0)->name(), "pool");
  EXPECT_EQ(graph.FindNode("join")->input(0)->producer(), eight_bits);
}

TEST(FitToProfileTest, OutputsOfTheGraphStayFloat) {
  at::manual_seed(3);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  x = AddConv(graph, "only", x, 3, 4, 1, /*norm=*/true);
  graph.AddOutput(graph.AddNode("Relu", "relu", {x})->output());
  EXPECT_EQ(Text(Activations(PlanFor(graph, {}))), "input/8 -> only:0\n");
}

TEST(NonNegativeValuesTest, FollowsSignsThroughTheGraph) {
  Graph graph;
  Value* input = graph.AddInput("input", {.dtype = at::kFloat});
  const auto constant = [&](const char* name, float value) {
    return graph.AddInitializer(name, at::full({}, value), InitializerRole::kConstant);
  };
  const auto node = [&](const char* op, const char* name, std::vector<Value*> inputs) {
    return graph.AddNode(op, name, std::move(inputs))->output();
  };
  Value* relu = node("Relu", "relu", {input});
  Value* clip = node("Clip", "clip", {input, constant("zero", 0), constant("six", 6)});
  Value* wide = node("Clip", "wide", {input, constant("minus", -1), constant("one", 1)});
  node("Add", "sum", {relu, clip});
  node("Add", "mixed", {relu, wide});
  node("GlobalAveragePool", "pool", {relu});
  node("Neg", "negative", {relu});
  std::set<std::string> names;
  for (const Value* value : NonNegativeValues(graph)) names.insert(value->name());
  EXPECT_THAT(names, UnorderedElementsAre("relu", "clip", "sum", "pool"));
}

}  // namespace
}  // namespace quantry::engine
