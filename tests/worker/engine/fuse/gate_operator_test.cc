#include "worker/engine/fuse/gate_operator.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/worker/engine/fuse/chain_graph.h"
#include "tests/worker/engine/fuse/fused_runs.h"

namespace quantry::engine {
namespace {

constexpr double kTolerance = 2e-6;
constexpr double kBf16Tolerance = 3e-3;
constexpr double kLargestStep = 2 * 3.19 / 127;  // of the graph's quantizers

const EvaluateContext kTraining = {.phase = RunPhase::kTrain};

EvaluateContext With(Precision precision) {
  EvaluateContext context = kTraining;
  context.observers_frozen = true;
  context.precision = precision;
  return context;
}

class GateOperatorTest : public testing::TestWithParam<GateForm> {
 protected:
  void SetUp() override {
    at::manual_seed(11);
    graph_ = GateGraph(GetParam());
    // Some products lie beyond the outer grid.
    inputs_ = {Pixels({5, 24, 7, 6}), at::rand({5, 24, 1, 1}) * 2};
    dy_ = Pixels({5, 24, 7, 6}).to(at::kBFloat16).to(at::kFloat);
  }

  void ExpectAsInDouble(Precision precision, double tolerance) {
    const Results theirs =
        Train(InDouble(graph_), {inputs_[0].to(at::kDouble), inputs_[1].to(at::kDouble)}, dy_,
              With(Precision::kFloat64), Fusing::kOff);
    const Results ours = Train(graph_, inputs_, dy_, With(precision), Fusing::kOn);
    for (const auto& [name, tensor] : theirs) {
      if (name == "y") continue;
      EXPECT_LT(MeanDistance(ours.at(name), tensor), tolerance) << name << ", " << GetParam();
    }
    const at::Tensor difference = (ours.at("y").to(at::kDouble) - theirs.at("y")).abs();
    const at::Tensor others = difference > kTolerance * theirs.at("y").abs().max();
    EXPECT_LE(others.sum().item<int64_t>(), 1) << GetParam();
    EXPECT_LT(difference.max().item<double>(), 1.01 * kLargestStep) << GetParam();
  }

  Graph graph_;
  std::vector<at::Tensor> inputs_;
  at::Tensor dy_;
};

TEST_P(GateOperatorTest, EqualsItsNodesInDouble) {
  // A learned step's gradient is what rounding takes away, of which float32 has lost as many last
  // bits as x / step has.
  const bool step = GetParam().learns == "step" || GetParam().learns == "offset";
  ExpectAsInDouble(Precision::kFloat32, step ? 50 * kTolerance : kTolerance);
}

TEST_P(GateOperatorTest, EqualsItsNodesInDoubleOnIntegers) {
  ExpectAsInDouble(Precision::kBf16, kBf16Tolerance);
}

TEST_P(GateOperatorTest, KeepsTheStateThatItsNodesKeep) {
  const Graph other = graph_.Clone();
  for (int step = 0; step < 3; ++step) {
    Train(graph_, inputs_, dy_, kTraining, Fusing::kOn);
    Train(other, inputs_, dy_, kTraining, Fusing::kOff);
    inputs_[0] = inputs_[0] * 1.25;
  }
  for (const Value* value : graph_.initializers(InitializerRole::kBuffer)) {
    EXPECT_LT(Distance(value->tensor(), other.FindValue(value->name())->tensor()), kTolerance)
        << value->name();
  }
}

TEST_P(GateOperatorTest, IsTheSameWithEveryNumberOfThreads) {
  const Graph other = graph_.Clone();
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Results one = Train(graph_, inputs_, dy_, kTraining, Fusing::kOn);
  at::set_num_threads(3);
  const Results three = Train(other, inputs_, dy_, kTraining, Fusing::kOn);
  at::set_num_threads(before);
  for (const auto& [name, tensor] : one) EXPECT_TRUE(at::equal(tensor, three.at(name))) << name;
}

INSTANTIATE_TEST_SUITE_P(Forms, GateOperatorTest,
                         testing::Values(GateForm(), GateForm{.symmetric = false},
                                         GateForm{.gate_first = true}, GateForm{.learns = "alpha"},
                                         GateForm{.learns = "step"}, GateForm{.learns = "offset"}));

TEST(MatchGate, TakesProductAndQuantizer) {
  EXPECT_THAT(Fused(GateGraph({})),
              testing::UnorderedElementsAre(testing::ElementsAre("in"),
                                            testing::ElementsAre("product", "outer")));
}

TEST(GateOperator, LeavesToTheNodesWhatIsNoGate) {
  const Graph graph = GateGraph({});
  const auto operators = FindFusedOperators(graph, graph.TopologicalOrder().value());
  const auto gate = std::find_if(operators.begin(), operators.end(), [](const auto& fused) {
    return fused->nodes()[0]->name() == "product";
  });
  ASSERT_NE(gate, operators.end());
  const auto accepts = [&](const at::Tensor& x, const at::Tensor& y) {
    return (*gate)->Accepts({RunValue{.tensor = x}, RunValue{.tensor = y}}, kTraining);
  };
  const at::Tensor x = Pixels({2, 8, 3, 3});
  EXPECT_TRUE(accepts(x, at::rand({2, 8, 1, 1})));
  EXPECT_TRUE(accepts(at::rand({2, 8, 1, 1}), x));
  EXPECT_FALSE(accepts(x, x)) << "a product of pictures";
  EXPECT_FALSE(accepts(x, at::rand({1, 8, 1, 1}))) << "the same for all pictures";
  EXPECT_FALSE(accepts(x, at::rand({2, 1, 3, 3}))) << "of places";
  EXPECT_FALSE(accepts(x.contiguous(), at::rand({2, 8, 1, 1}))) << "channels are not innermost";
  EXPECT_FALSE(accepts(Pixels({2, 8, 1, 1}), at::rand({2, 8, 1, 1}))) << "one place";
}

}  // namespace
}  // namespace quantry::engine
