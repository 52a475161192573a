#include "worker/engine/fuse/layer_operator.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/worker/engine/fuse/chain_graph.h"
#include "tests/worker/engine/fuse/fused_runs.h"

namespace quantry::engine {
namespace {

constexpr double kForwardTolerance = 2e-6;
constexpr double kBf16Tolerance = 3e-3;
constexpr double kLargestStep = 2 * 3.19 / 127;  // of the graph's quantizers

const EvaluateContext kTraining = {
    .phase = RunPhase::kTrain, .observers_frozen = true, .precision = Precision::kBf16};

class LayerOperatorTest : public testing::TestWithParam<LayerForm> {
 protected:
  void SetUp() override {
    at::manual_seed(7);
    graph_ = LayerGraph(form());
    std::vector<int64_t> sizes = {4, form().in_channels, 9, 7};
    const int64_t height = (9 - 1) / form().stride + 1;
    const int64_t width = (7 - 1) / form().stride + 1;
    std::vector<int64_t> result = {4, form().out_channels, height, width};
    if (form().matmul) {
      sizes = {2, 25, form().in_channels};
      result = {2, 25, form().out_channels};
    }
    if (form().gemm) {
      sizes = {50, form().in_channels};
      result = {50, form().out_channels};
    }
    inputs_ = {Pixels(sizes)};
    if (form().chain.add) inputs_.push_back(Pixels(result));
    dy_ = Pixels(result).to(at::kBFloat16).to(at::kFloat);
    if (Bf16Convolution::Of({}) == nullptr) GTEST_SKIP() << "oneDNN has no bf16 here";
  }

  const LayerForm& form() const { return GetParam(); }

  // The nodes one by one in double.
  Results Reference(EvaluateContext context) const {
    std::vector<at::Tensor> doubles;
    for (const at::Tensor& input : inputs_) doubles.push_back(input.to(at::kDouble));
    context.precision = Precision::kFloat64;
    return Train(InDouble(graph_), doubles, dy_, context, Fusing::kOff);
  }

  void ExpectAsInDouble(const EvaluateContext& context) {
    const Results theirs = Reference(context);
    const Results ours = Train(graph_, inputs_, dy_, context, Fusing::kOn);
    for (const auto& [name, tensor] : theirs) {
      if (name == "y") continue;
      EXPECT_LT(MeanDistance(ours.at(name), tensor), kBf16Tolerance) << name << ", " << form();
    }
    const at::Tensor difference = (ours.at("y").to(at::kDouble) - theirs.at("y")).abs();
    const double most = theirs.at("y").abs().max().item<double>();
    const at::Tensor others = difference > kForwardTolerance * most;
    EXPECT_LE(others.sum().item<int64_t>(), difference.numel() / 100000) << form();
    EXPECT_LT(difference.max().item<double>(), 1.01 * kLargestStep) << form();
  }

  Graph graph_;
  std::vector<at::Tensor> inputs_;
  at::Tensor dy_;
};

TEST_P(LayerOperatorTest, EqualsItsNodesInDouble) { ExpectAsInDouble(kTraining); }

TEST_P(LayerOperatorTest, EqualsItsNodesInDoubleWithFrozenStatistics) {
  EvaluateContext frozen = kTraining;
  frozen.statistics_frozen = true;
  ExpectAsInDouble(frozen);
}

TEST_P(LayerOperatorTest, KeepsTheStateThatItsNodesKeep) {
  EvaluateContext looking = kTraining;
  looking.observers_frozen = false;
  const Graph other = graph_.Clone();
  EvaluateContext exact = looking;
  exact.precision = Precision::kFloat32;
  for (int step = 0; step < 3; ++step) {
    Train(graph_, inputs_, dy_, looking, Fusing::kOn);
    Train(other, inputs_, dy_, exact, Fusing::kOff);
    for (at::Tensor& input : inputs_) input = input * 1.25;
  }
  for (const Value* value : graph_.initializers(InitializerRole::kBuffer)) {
    EXPECT_LT(Distance(value->tensor(), other.FindValue(value->name())->tensor()), 1e-5)
        << value->name();
  }
}

std::vector<LayerForm> Forms() {
  std::vector<LayerForm> forms;
  for (const ChainForm& chain :
       std::vector<ChainForm>{{},
                              {.activation = "HardSwish"},
                              {.activation = "Relu6", .symmetric = false},
                              {.inner = true, .add = true},
                              {.add = true, .activation = "", .outer = false},
                              {.activation = "", .outer = false},
                              {.learns = "alpha"},
                              {.activation = "HardSwish", .learns = "offset"},
                              {.inner = true, .add = true, .learns = "step"},
                              {.norm = false},
                              {.norm = false, .activation = "", .outer = false},
                              {.norm = false, .inner = true, .add = true, .activation = ""}}) {
    forms.push_back({.chain = chain});
    forms.push_back({.chain = chain, .in_channels = 24, .out_channels = 24, .groups = 24});
    forms.push_back({.chain = chain, .in_channels = 3, .out_channels = 10, .stride = 2});
    forms.push_back({.chain = chain, .in_channels = 33, .out_channels = 10, .gemm = true});
  }
  for (const ChainForm& chain :
       std::vector<ChainForm>{{.norm = false, .activation = "GeluErf", .bias = true},
                              {.norm = false, .activation = "", .outer = false, .bias = true},
                              {.norm = false, .add = true, .activation = "", .bias = true},
                              {.norm = false, .learns = "step"}}) {
    forms.push_back({.chain = chain, .in_channels = 33, .out_channels = 10, .matmul = true});
  }
  return forms;
}

INSTANTIATE_TEST_SUITE_P(Forms, LayerOperatorTest, testing::ValuesIn(Forms()));

TEST(MatchLayer, TakesConvolutionAndChain) {
  EXPECT_THAT(Fused(LayerGraph({})),
              testing::UnorderedElementsAre(
                  testing::ElementsAre("in"),
                  testing::ElementsAre("weight_grid", "convolution", "norm", "activation", "outer"),
                  testing::ElementsAre("norm", "activation", "outer")));
}

TEST(MatchLayer, LeavesWeightsThatAreNotQuantized) {
  Graph graph = LayerGraph({});
  graph.SetInput(graph.FindNode("convolution"), 1, graph.FindValue("weight"));
  EXPECT_THAT(Fused(graph), testing::Not(testing::Contains(testing::Contains("convolution"))));
}

TEST(MatchLayer, LeavesWeightsThatOthersRead) {
  Graph graph = LayerGraph({});
  graph.AddOutput(graph.FindNode("weight_grid")->output());
  EXPECT_THAT(Fused(graph), testing::Not(testing::Contains(testing::Contains("convolution"))));
}

// Accepts of the operator that has all of a layer's nodes.
bool LayerAccepts(const Graph& graph, const RunValue& x, const EvaluateContext& context) {
  for (const auto& fused : FindFusedOperators(graph, graph.TopologicalOrder().value())) {
    if (fused->nodes()[0]->name() == "weight_grid") return fused->Accepts({x, {}}, context);
  }
  ADD_FAILURE() << "there is no layer";
  return false;
}

TEST(LayerOperator, LeavesABiasThatIsBroadcast) {
  Graph graph = LayerGraph({.chain = {.norm = false}, .gemm = true});
  const RunValue x = {.tensor = Pixels({5, 16}).round().to(at::kBFloat16), .step = 0.5f};
  EXPECT_EQ(LayerAccepts(graph, x, kTraining), Bf16Convolution::Of({}) != nullptr);
  graph.SetTensor(graph.FindValue("bias"), at::ones({1}));
  EXPECT_FALSE(LayerAccepts(graph, x, kTraining));
}

TEST(LayerOperator, IsForRunsInBf16) {
  const Graph graph = LayerGraph({});
  const RunValue integers = {.tensor = Pixels({2, 16, 5, 5}).round().to(at::kBFloat16),
                             .step = 0.5f};
  EXPECT_EQ(LayerAccepts(graph, integers, kTraining), Bf16Convolution::Of({}) != nullptr);
  EXPECT_FALSE(LayerAccepts(graph, {.tensor = Plain(integers)}, kTraining));
  EvaluateContext float32 = kTraining;
  float32.precision = Precision::kFloat32;
  EXPECT_FALSE(LayerAccepts(graph, integers, float32));
  const at::Tensor fewer =
      integers.tensor.slice(1, 0, 8).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_FALSE(LayerAccepts(graph, {.tensor = fewer, .step = 0.5f}, kTraining)) << "channels";
}

}  // namespace
}  // namespace quantry::engine
