#include "worker/engine/train/sgd.h"

#include <gtest/gtest.h>
#include <torch/optim.h>

#include "tests/worker/engine/train/like_torch.h"

namespace quantry::engine {
namespace {

void ExpectLikeTorchsSgd(double momentum, double weight_decay) {
  ExpectLikeTorch(
      [&](const at::Tensor& w) {
        return Sgd({{.parameters = {{"w", w}}, .weight_decay = weight_decay}},
                   {.momentum = momentum});
      },
      [&](const at::Tensor& w) {
        return torch::optim::SGD(
            {w}, torch::optim::SGDOptions(0.1).momentum(momentum).weight_decay(weight_decay));
      });
}

TEST(SgdTest, PlainIsTorchSgd) { ExpectLikeTorchsSgd(0.0, 0.0); }
TEST(SgdTest, MomentumIsTorchSgd) { ExpectLikeTorchsSgd(0.9, 0.0); }
TEST(SgdTest, MomentumWithDecayIsTorchSgd) { ExpectLikeTorchsSgd(0.9, 0.05); }

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
