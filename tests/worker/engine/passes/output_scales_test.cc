#include "worker/engine/passes/output_scales.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

using ::testing::UnorderedElementsAre;

Graph Followed(double moving_rate) {
  Graph graph = BuildSmallNet(1);
  QuantPlan plan = Annotate(graph, {}, {}).value();
  plan.output_moving_rate = moving_rate;
  InsertFakeQuant(graph, plan);
  return graph;
}

TEST(OutputScalesTest, EveryLayerOnceBehindItsBatchNorm) {
  Graph graph = Followed(0.9);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  std::vector<std::string> layers, values;
  for (const OutputScale& scale : OutputScales(graph)) {
    layers.push_back(scale.layer);
    values.push_back(scale.value);
    EXPECT_EQ(scale.scale, 0.0f);
  }
  EXPECT_THAT(layers, UnorderedElementsAre("stem", "skip", "depthwise", "head"));
  EXPECT_THAT(values, UnorderedElementsAre("stem.norm", "skip", "depthwise.norm", "logits"));
  EXPECT_EQ(graph.FindValue("logits.output_accum")->role(), InitializerRole::kBuffer);
}

TEST(OutputScalesTest, FollowsTheRecurrenceFromZeroAndChangesNothing) {
  const double r = 0.75;
  const Graph followed = Followed(r);
  Graph plain = BuildSmallNet(1);
  InsertFakeQuant(plain, Annotate(plain, {}, {}).value());
  double accum = 0, state = 0;
  for (int step = 0; step < 3; ++step) {
    const at::Tensor x = at::randn({2, 3, 8, 8});
    const RunPhase phase = step == 0 ? RunPhase::kCalibrate : RunPhase::kTrain;
    // Dropout would differ; the seed is the same.
    at::manual_seed(step);
    const at::Tensor y = RunGraph(followed, x, phase);
    at::manual_seed(step);
    EXPECT_TRUE(at::equal(y, RunGraph(plain, x, phase)));
    accum = r * accum + y.abs().max().item<double>();
    state = r * state + 1;
    EXPECT_NEAR(followed.FindValue("logits.output_scale")->tensor().item<double>(), accum / state,
                1e-5);
  }
  const at::Tensor x = at::randn({2, 3, 8, 8}) * 100;
  EXPECT_TRUE(at::equal(RunGraph(followed, x), RunGraph(plain, x)));
  const auto executor = Executor::Create(followed).value();
  ASSERT_TRUE(executor->Run({x}, {.phase = RunPhase::kTrain, .observers_frozen = true}).ok());
  EXPECT_NEAR(OutputScales(followed).back().scale, accum / state, 1e-5);
}

TEST(OutputScalesTest, RemovingFakeQuantTakesItOutAgain) {
  Graph graph = Followed(0.9);
  const size_t initializers = BuildSmallNet(1).initializers().size();
  RemoveFakeQuant(graph);
  EXPECT_TRUE(OutputScales(graph).empty());
  EXPECT_EQ(graph.initializers().size(), initializers);
}

}  // namespace
}  // namespace quantry::engine
