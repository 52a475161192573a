#include "worker/engine/train/step_bounds.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

Graph WithLearnedSteps() {
  QuantConfig config;
  config.weight_quantize_type = "channel_wise_lsq_weight";
  config.activation_quantize_type = "lsq_act";
  Graph graph = BuildSmallNet(3);
  InsertFakeQuant(graph, Annotate(graph, config, {}).value());
  RunGraph(graph, (at::manual_seed(1), at::randn({8, 3, 8, 8})), RunPhase::kCalibrate);
  return graph;
}

TEST(StepBoundsTest, AStepChangesAtMostByTheFactor) {
  const Graph graph = WithLearnedSteps();
  StepBounds bounds(graph);
  const std::vector<Value*> steps = LearnedSteps(graph);
  ASSERT_GT(steps.size(), 4u);
  std::vector<at::Tensor> before;
  for (const Value* step : steps) before.push_back(step->tensor().detach().clone());
  for (const double update : {-1e6, 1e6, 0.0}) {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < steps.size(); ++i) steps[i]->tensor().copy_(before[i]);
    bounds.BeforeUpdate();
    for (const Value* step : steps) step->tensor().add_(update);
    bounds.AfterUpdate();
    const double factor = update < 0 ? 0.5 : update > 0 ? 2 : 1;
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_TRUE(at::equal(steps[i]->tensor(), before[i] * factor)) << steps[i]->name();
    }
  }
}

TEST(StepBoundsTest, WhatStaysWithinThemIsNotTouched) {
  const Graph graph = WithLearnedSteps();
  StepBounds bounds(graph);
  const at::NoGradGuard no_grad;
  bounds.BeforeUpdate();
  const at::Tensor& step = LearnedSteps(graph).at(0)->tensor();
  step.mul_(1.3);
  const at::Tensor wanted = step.detach().clone();
  bounds.AfterUpdate();
  EXPECT_TRUE(at::equal(step, wanted));
}

}  // namespace
}  // namespace quantry::engine
