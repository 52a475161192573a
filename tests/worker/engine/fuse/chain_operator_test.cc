#include "worker/engine/fuse/chain_operator.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "tests/worker/engine/fuse/chain_graph.h"
#include "tests/worker/engine/fuse/fused_runs.h"
#include "worker/engine/evaluate/executor.h"

namespace quantry::engine {
namespace {

constexpr double kTolerance = 2e-6;
constexpr double kLargestStep = 2 * 3.19 / 127;  // of the graph's quantizers

const EvaluateContext kTraining = {.phase = RunPhase::kTrain};

using Case = std::tuple<ChainForm, int64_t>;

// Which rounds as its nodes do, to the last bit.
bool IsPiecewiseLinear(const ChainForm& form) {
  return form.activation.empty() || absl::StartsWith(form.activation, "Relu");
}

class ChainOperatorTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    at::manual_seed(5);
    const int64_t channels = std::get<1>(GetParam());
    sizes_ = {4, channels, 7, 5};
    if (form().bias) sizes_ = {4, 35, channels};
    graph_ = ChainGraph(form(), channels);
    inputs_ = {Pixels(sizes_)};
    // On a grid, as what is added comes from a quantizer.
    if (form().add) inputs_.push_back((Pixels(sizes_) * 8).round() * 0.1234);
    dy_ = Pixels(sizes_);
  }

  const ChainForm& form() const { return std::get<0>(GetParam()); }

  // The fused operator against the nodes one by one in double. With quantizers that stand still:
  // where they look, the largest value is on the edge of the grid, inside or outside by its last
  // bit.
  void ExpectAsInDouble(EvaluateContext context, double tolerance = kTolerance) {
    context.observers_frozen = true;
    std::vector<at::Tensor> doubles;
    for (const at::Tensor& input : inputs_) doubles.push_back(input.to(at::kDouble));
    const Results theirs = Train(InDouble(graph_), doubles, dy_, context, Fusing::kOff);
    const Results ours = Train(graph_, inputs_, dy_, context, Fusing::kOn);
    for (const auto& [name, tensor] : theirs) {
      if (name == "y") continue;
      EXPECT_LT(Distance(ours.at(name), tensor), ToleranceOf(name, tolerance))
          << name << ", " << form();
    }
    ExpectSameLevels(ours.at("y"), theirs.at("y"));
  }

  // What a step learns is what rounding takes away from x / step, which is up to 127 and in float32
  // has lost as many last bits; what is left of that are sums of both signs.
  double ToleranceOf(const std::string& name, double others) const {
    return absl::EndsWith(name, ".scale") ? 50 * others : others;
  }

  // Of many values one may be so near the middle of two levels that its last bit decides.
  void ExpectSameLevels(const at::Tensor& ours, const at::Tensor& theirs) {
    const at::Tensor difference = (ours.to(at::kDouble) - theirs).abs();
    const at::Tensor others = difference > kTolerance * theirs.abs().max();
    EXPECT_LE(others.sum().item<int64_t>(), theirs.numel() / 100000) << form();
    EXPECT_LT(difference.max().item<double>(), 1.01 * kLargestStep) << form();
  }

  std::vector<int64_t> sizes_;
  Graph graph_;
  std::vector<at::Tensor> inputs_;
  at::Tensor dy_;
};

TEST_P(ChainOperatorTest, EqualsItsNodesInDouble) { ExpectAsInDouble(kTraining); }

TEST_P(ChainOperatorTest, EqualsItsNodesInDoubleWithFrozenStatistics) {
  ExpectAsInDouble({.phase = RunPhase::kTrain, .statistics_frozen = true});
}

// Pictures with a flat background make such channels, far from 0; 1 / deviation is as large as
// epsilon lets it be.
TEST_P(ChainOperatorTest, EqualsItsNodesInDoubleWhereAChannelHardlyVaries) {
  const int64_t axis = form().bias ? 2 : 1;
  inputs_[0].select(axis, 0).mul_(1e-5).add_(3);
  if (inputs_[0].size(axis) > 1) inputs_[0].select(axis, 1).fill_(0.7);
  // Where the last bit of x decides on which level the inner grid puts it, a curve has another
  // slope there.
  const bool bent = form().inner && !IsPiecewiseLinear(form());
  ExpectAsInDouble(kTraining, (bent ? 10 : 2) * kTolerance);
}

TEST_P(ChainOperatorTest, KeepsTheStateThatItsNodesKeep) {
  const Graph other = graph_.Clone();
  for (int step = 0; step < 3; ++step) {
    Train(graph_, inputs_, dy_, kTraining, Fusing::kOn);
    Train(other, inputs_, dy_, kTraining, Fusing::kOff);
    for (at::Tensor& input : inputs_) input = input * 1.25;
  }
  for (const Value* value : graph_.initializers(InitializerRole::kBuffer)) {
    EXPECT_LT(Distance(value->tensor(), other.FindValue(value->name())->tensor()), kTolerance)
        << value->name();
  }
}

TEST_P(ChainOperatorTest, EvaluatesWithTheKeptState) {
  Train(graph_, inputs_, dy_, kTraining, Fusing::kOn);
  const at::NoGradGuard no_grad;
  const EvaluateContext evaluation = {.phase = RunPhase::kEvaluate};
  const Graph before = graph_.Clone();
  const auto fused = ExecutorOf(graph_, Fusing::kOn)->Run(inputs_, evaluation);
  const auto single = ExecutorOf(graph_, Fusing::kOff)->Run(inputs_, evaluation);
  ASSERT_TRUE(fused.ok() && single.ok());
  EXPECT_LT(Distance(fused->at(0), single->at(0)), kTolerance);
  // What is served is compared with what was evaluated, so nothing may round otherwise.
  if (!form().norm && IsPiecewiseLinear(form())) {
    EXPECT_TRUE(at::equal(fused->at(0), single->at(0)));
  }
  for (const Value* value : graph_.initializers(InitializerRole::kBuffer)) {
    EXPECT_TRUE(at::equal(value->tensor(), before.FindValue(value->name())->tensor()));
  }
}

TEST_P(ChainOperatorTest, IsTheSameWithEveryNumberOfThreads) {
  const Graph other = graph_.Clone();
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Results one = Train(graph_, inputs_, dy_, kTraining, Fusing::kOn);
  at::set_num_threads(3);
  const Results three = Train(other, inputs_, dy_, kTraining, Fusing::kOn);
  at::set_num_threads(before);
  for (const auto& [name, tensor] : one) EXPECT_TRUE(at::equal(tensor, three.at(name))) << name;
}

std::vector<ChainForm> Forms() {
  std::vector<ChainForm> forms;
  for (const char* activation : {"", "Relu", "Relu6", "HardSwish", "Silu", "GeluErf"}) {
    const bool none = std::string(activation).empty();
    forms.push_back({.activation = activation});
    forms.push_back({.inner = true, .add = true, .activation = activation});
    forms.push_back({.add = true, .activation = activation, .outer = false});
    forms.push_back({.norm = false, .add = true, .activation = activation});
    forms.push_back({.inner = true, .add = true, .activation = activation, .symmetric = false});
    if (none) continue;
    forms.push_back({.activation = activation, .outer = false});
    forms.push_back({.inner = true, .activation = activation});
    forms.push_back({.norm = false, .activation = activation});
    forms.push_back({.norm = false, .inner = true, .add = true, .activation = activation});
  }
  for (const char* activation : {"Gelu", "GeluTanh", "Sigmoid", "HardSigmoid", "LeakyRelu"}) {
    forms.push_back({.activation = activation});
    forms.push_back({.norm = false, .inner = true, .add = true, .activation = activation});
  }
  for (const char* activation : {"", "Relu", "GeluErf"}) {
    forms.push_back({.norm = false, .activation = activation, .bias = true});
    forms.push_back(
        {.norm = false, .inner = true, .add = true, .activation = activation, .bias = true});
  }
  for (const char* learns : {"alpha", "step", "offset"}) {
    forms.push_back({.learns = learns});
    forms.push_back({.inner = true, .add = true, .activation = "HardSwish", .learns = learns});
    forms.push_back({.norm = false, .inner = true, .add = true, .learns = learns});
    forms.push_back({.norm = false, .learns = learns});
    forms.push_back({.activation = "Relu6", .symmetric = false, .learns = learns});
  }
  return forms;
}

// 16: whole vectors. 24, 10: several rows to a period. 3: a period of many rows. 1000: rows longer
// than a piece is short.
INSTANTIATE_TEST_SUITE_P(Forms, ChainOperatorTest,
                         testing::Combine(testing::ValuesIn(Forms()),
                                          testing::Values(16, 24, 10, 3)));
INSTANTIATE_TEST_SUITE_P(Wide, ChainOperatorTest,
                         testing::Combine(testing::Values(ChainForm(),
                                                          ChainForm{.inner = true, .add = true}),
                                          testing::Values(1, 1000)));

// Whether the operator of a chain's graph takes these inputs.
bool Accepts(const Graph& graph, const std::vector<at::Tensor>& inputs,
             const EvaluateContext& context) {
  const std::vector<Node*> order = graph.TopologicalOrder().value();
  const auto operators = FindFusedOperators(graph, order);
  EXPECT_EQ(operators.size(), 1);
  std::vector<RunValue> given;
  for (const at::Tensor& input : inputs) given.push_back({.tensor = input});
  given.resize(2);
  return operators.size() == 1 && operators[0]->Accepts(given, context);
}

TEST(ChainOperator, LeavesToTheNodesWhatItCannotDo) {
  const Graph graph = ChainGraph({}, 8);
  const at::Tensor x = Pixels({2, 8, 3, 3});
  EXPECT_TRUE(Accepts(graph, {x}, kTraining));
  EXPECT_TRUE(Accepts(graph, {Pixels({5, 8})}, kTraining));
  EXPECT_FALSE(Accepts(graph, {x.contiguous()}, kTraining)) << "channels are not innermost";
  EXPECT_FALSE(Accepts(graph, {x.to(at::kDouble)}, kTraining));
  EXPECT_FALSE(Accepts(graph, {x.slice(0, 0, 0)}, kTraining)) << "nothing";
  EXPECT_FALSE(Accepts(graph, {Pixels({1, 8, 1, 1})}, kTraining)) << "no variance of one element";
  EXPECT_FALSE(Accepts(graph, {x}, {.phase = RunPhase::kCalibrate}));
  EXPECT_FALSE(Accepts(graph, {x}, {.phase = RunPhase::kTrain, .precision = Precision::kFloat64}));
  const Graph sum = ChainGraph({.add = true}, 8);
  EXPECT_TRUE(Accepts(sum, {x, x.contiguous()}, kTraining)) << "the operand may lie otherwise";
  EXPECT_FALSE(Accepts(sum, {x, x.slice(0, 0, 1)}, kTraining)) << "the operand is broadcast";
}

TEST(ChainOperator, AnOperandInAnotherLayoutGetsItsGradient) {
  at::manual_seed(6);
  const Graph graph = ChainGraph({.add = true}, 8);
  const Graph other = graph.Clone();
  const at::Tensor x = Pixels({2, 8, 3, 3});
  const at::Tensor r = Pixels({2, 8, 3, 3});
  const at::Tensor dy = at::randn({2, 8, 3, 3});
  const Results same = Train(graph, {x, r}, dy, kTraining, Fusing::kOn);
  const Results turned = Train(other, {x, r.contiguous()}, dy, kTraining, Fusing::kOn);
  for (const auto& [name, tensor] : same) EXPECT_TRUE(at::equal(tensor, turned.at(name))) << name;
}

TEST(ChainOperator, OnePlaceHasTheStridesThatItsNodesGive) {
  const Graph graph = ChainGraph({.norm = false, .add = true}, 8);
  const at::Tensor x = at::randn({4, 1, 1, 8}).permute({0, 3, 1, 2});
  const auto fused = ExecutorOf(graph, Fusing::kOn)->Run({x, x}, kTraining);
  const auto single = ExecutorOf(graph, Fusing::kOff)->Run({x, x}, kTraining);
  ASSERT_TRUE(fused.ok() && single.ok());
  EXPECT_EQ(fused->at(0).strides(), single->at(0).strides());
}

TEST(ChainOperator, LeavesALearnedStepToTheNodesUntilItHasItsStart) {
  const Graph graph = ChainGraph({.learns = "step"}, 8);
  const at::Tensor x = Pixels({2, 8, 3, 3});
  EXPECT_TRUE(Accepts(graph, {x}, kTraining));
  graph.FindValue("outer.initialized")->tensor().zero_();
  EXPECT_FALSE(Accepts(graph, {x}, kTraining));
}

TEST(ChainOperator, NotANumberIsNotHidden) {
  for (const ChainForm& form : Forms()) {
    const Graph graph = ChainGraph(form, 8);
    at::Tensor x = Pixels({2, 8, 3, 8});
    if (form.bias) x = x.contiguous();
    x[1][2][0][1] = std::nanf("");
    std::vector<at::Tensor> inputs = {x};
    if (form.add) inputs.push_back(Pixels({2, 8, 3, 8}));
    const auto outputs = ExecutorOf(graph, Fusing::kOn)->Run(inputs, kTraining);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_TRUE(outputs->at(0)[1][2][0][1].isnan().item<bool>()) << form;
  }
}

}  // namespace
}  // namespace quantry::engine
