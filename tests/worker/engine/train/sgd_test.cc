#include "worker/engine/train/sgd.h"

#include <gtest/gtest.h>
#include <torch/optim.h>

namespace quantry::engine {
namespace {

// Runs `steps` steps of ours and of torch's SGD on the same least-squares problem.
void ExpectLikeTorch(double momentum, double weight_decay) {
  at::manual_seed(3);
  const at::Tensor start = at::randn({4, 3});
  const at::Tensor x = at::randn({8, 3});
  const at::Tensor target = at::randn({8, 4});
  at::Tensor ours = start.clone().requires_grad_(true);
  at::Tensor theirs = start.clone().requires_grad_(true);
  Sgd sgd({{.parameters = {{"w", ours}}, .weight_decay = weight_decay}}, {.momentum = momentum});
  torch::optim::SGD reference(
      {theirs}, torch::optim::SGDOptions(0.1).momentum(momentum).weight_decay(weight_decay));
  for (int step = 0; step < 5; ++step) {
    sgd.ZeroGradients();
    (x.matmul(ours.t()) - target).square().mean().backward();
    sgd.Step(0.1);
    reference.zero_grad();
    (x.matmul(theirs.t()) - target).square().mean().backward();
    reference.step();
    EXPECT_TRUE(at::allclose(ours, theirs, 1e-6, 1e-7)) << "step " << step;
  }
  EXPECT_FALSE(at::allclose(ours, start));
}

TEST(SgdTest, PlainIsTorchSgd) { ExpectLikeTorch(0.0, 0.0); }
TEST(SgdTest, MomentumIsTorchSgd) { ExpectLikeTorch(0.9, 0.0); }
TEST(SgdTest, MomentumWithDecayIsTorchSgd) { ExpectLikeTorch(0.9, 0.05); }

TEST(SgdTest, GroupsHaveRateAndDecayOfTheirOwn) {
  at::Tensor plain = at::ones({1}).requires_grad_(true);
  at::Tensor special = at::ones({1}).requires_grad_(true);
  Sgd sgd({{.parameters = {{"plain", plain}}},
           {.parameters = {{"special", special}}, .weight_decay = 0.5, .learning_rate_factor = 10}},
          {.momentum = 0.0});
  (plain + special).sum().backward();
  sgd.Step(0.01);
  EXPECT_FLOAT_EQ(plain.item<float>(), 0.99f);
  EXPECT_FLOAT_EQ(special.item<float>(), 1.0f - 0.1f * 1.5f);
}

TEST(SgdTest, ParametersWithoutGradientStay) {
  at::Tensor unused = at::ones({2}).requires_grad_(true);
  Sgd sgd({{.parameters = {{"unused", unused}}, .weight_decay = 0.5}}, {.momentum = 0.9});
  sgd.Step(1.0);
  EXPECT_TRUE(at::equal(unused.detach(), at::ones({2})));
}

TEST(ClipGradientNormTest, ScalesOnlyWhatIsTooLong) {
  at::Tensor a = at::zeros({1}).requires_grad_(true);
  at::Tensor b = at::zeros({1}).requires_grad_(true);
  (3 * a + 4 * b).sum().backward();
  const std::vector<NamedTensor> parameters = {{"a", a}, {"b", b}};
  EXPECT_DOUBLE_EQ(ClipGradientNorm(parameters, 10.0), 5.0);
  EXPECT_FLOAT_EQ(a.grad().item<float>(), 3.0f);
  EXPECT_DOUBLE_EQ(ClipGradientNorm(parameters, 1.0), 5.0);
  EXPECT_NEAR(a.grad().item<double>(), 0.6, 1e-6);
  EXPECT_NEAR(b.grad().item<double>(), 0.8, 1e-6);
}

}  // namespace
}  // namespace quantry::engine
