#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

at::Tensor Drop(const at::Tensor& x, const std::vector<at::Tensor>& more, uint64_t seed) {
  Graph graph;
  const Node* node = graph.AddNode("Dropout", "d", {});
  std::vector<at::Tensor> inputs = {x};
  inputs.insert(inputs.end(), more.begin(), more.end());
  return FindOperator("Dropout")
      ->evaluate(*node, inputs,
                 {.phase = RunPhase::kTrain, .generator = at::detail::createCPUGenerator(seed)})
      .at(0);
}

TEST(DropoutTest, ZeroesTheRatioAndScalesTheRest) {
  const at::Tensor y = Drop(at::ones({100000}), {at::scalar_tensor(0.2f)}, 1);
  const double zeros = (y == 0).sum().item<double>() / 100000.0;
  EXPECT_NEAR(zeros, 0.2, 0.01);
  EXPECT_EQ((y == 0).sum().item<int64_t>() + (y == 1.25).sum().item<int64_t>(), 100000);
}

TEST(DropoutTest, HalfIsTheDefault) {
  const at::Tensor y = Drop(at::ones({100000}), {}, 1);
  EXPECT_NEAR(y.mean().item<double>(), 1.0, 0.02);
  EXPECT_EQ(y.max().item<float>(), 2.0f);
}

TEST(DropoutTest, TheGeneratorDecides) {
  const at::Tensor x = at::ones({64});
  EXPECT_TRUE(at::equal(Drop(x, {}, 5), Drop(x, {}, 5)));
  EXPECT_FALSE(at::equal(Drop(x, {}, 5), Drop(x, {}, 6)));
}

TEST(DropoutTest, RatioOneDropsAll) {
  EXPECT_TRUE(at::equal(Drop(at::ones({8}), {at::scalar_tensor(1.0f)}, 1), at::zeros({8})));
}

TEST(DropoutTest, GradientGoesWhereTheValueWent) {
  const at::Tensor x = at::ones({64}).requires_grad_(true);
  const at::Tensor y = Drop(x, {}, 5);
  y.sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), y.detach()));
}

}  // namespace
}  // namespace quantry::engine
