#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

at::Tensor Draw(const at::Tensor& probability, uint64_t seed, AttributeMap attributes = {}) {
  Graph graph;
  const Node* node = graph.AddNode("Bernoulli", "b", {}, std::move(attributes));
  return FindOperator("Bernoulli")
      ->evaluate(*node, {probability},
                 {.phase = RunPhase::kTrain, .generator = at::detail::createCPUGenerator(seed)})
      .at(0);
}

TEST(BernoulliTest, IsOneWithTheProbability) {
  const at::Tensor y = Draw(at::full({100000}, 0.2f), 1);
  EXPECT_NEAR(y.mean().item<double>(), 0.2, 0.01);
  EXPECT_EQ((y == 0).sum().item<int64_t>() + (y == 1).sum().item<int64_t>(), 100000);
}

TEST(BernoulliTest, ZeroAndOneAreCertain) {
  const at::Tensor p = at::tensor({0.0f, 1.0f}).repeat({1000});
  EXPECT_TRUE(at::equal(Draw(p, 1), p));
}

TEST(BernoulliTest, TheGeneratorDecides) {
  const at::Tensor p = at::full({64}, 0.5f);
  EXPECT_TRUE(at::equal(Draw(p, 5), Draw(p, 5)));
  EXPECT_FALSE(at::equal(Draw(p, 5), Draw(p, 6)));
}

TEST(BernoulliTest, TheTypeCanBeChosen) {
  constexpr int64_t kOnnxBool = 9;
  const at::Tensor y = Draw(at::tensor({0.0f, 1.0f}), 1, {{"dtype", kOnnxBool}});
  EXPECT_EQ(y.scalar_type(), at::kBool);
  EXPECT_TRUE(at::equal(y, at::tensor({0, 1}).to(at::kBool)));
}

}  // namespace
}  // namespace quantry::engine
