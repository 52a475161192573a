#include "worker/engine/train/adam.h"

#include <gtest/gtest.h>
#include <torch/optim.h>

#include "worker/engine/train/adamw.h"

namespace quantry::engine {
namespace {

// Runs a few steps of ours and of torch's optimizer on the same least-squares problem.
template <typename Ours, typename Theirs, typename TheirOptions>
void ExpectLikeTorch(double weight_decay) {
  at::manual_seed(3);
  const at::Tensor start = at::randn({4, 3});
  const at::Tensor x = at::randn({8, 3});
  const at::Tensor target = at::randn({8, 4});
  at::Tensor ours = start.clone().requires_grad_(true);
  at::Tensor theirs = start.clone().requires_grad_(true);
  Ours optimizer({{.parameters = {{"w", ours}}, .weight_decay = weight_decay}},
                 {.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6});
  Theirs reference(
      {theirs},
      TheirOptions(0.1).betas(std::make_tuple(0.8, 0.95)).eps(1e-6).weight_decay(weight_decay));
  for (int step = 0; step < 8; ++step) {
    optimizer.ZeroGradients();
    (x.matmul(ours.t()) - target).square().mean().backward();
    optimizer.Step(0.1);
    reference.zero_grad();
    (x.matmul(theirs.t()) - target).square().mean().backward();
    reference.step();
    EXPECT_TRUE(at::allclose(ours, theirs, 1e-6, 1e-7)) << "step " << step;
  }
  EXPECT_FALSE(at::allclose(ours, start));
}

TEST(AdamTest, IsTorchAdam) {
  ExpectLikeTorch<Adam, torch::optim::Adam, torch::optim::AdamOptions>(0.0);
  ExpectLikeTorch<Adam, torch::optim::Adam, torch::optim::AdamOptions>(0.1);
}

TEST(AdamWTest, IsTorchAdamW) {
  ExpectLikeTorch<AdamW, torch::optim::AdamW, torch::optim::AdamWOptions>(0.0);
  ExpectLikeTorch<AdamW, torch::optim::AdamW, torch::optim::AdamWOptions>(0.1);
}

TEST(OptimizerTableTest, MakesEachByNameWithStateByName) {
  for (const OptimizerDef& def : OptimizerTable()) {
    const OptimizerOptions options{.name = std::string(def.name)};
    EXPECT_TRUE(options.Validate().ok());
    at::Tensor w = at::ones({2}).requires_grad_(true);
    const auto optimizer = MakeOptimizer({{.parameters = {{"w", w}}}}, options);
    w.sum().backward();
    optimizer->Step(0.1);
    EXPECT_LT(w.detach()[0].item<float>(), 1.0f) << def.name;
    ASSERT_FALSE(optimizer->State().empty()) << def.name;
    for (const NamedTensor& state : optimizer->State()) {
      EXPECT_EQ(state.name.rfind("w.", 0), 0u) << state.name;
    }
  }
  EXPECT_EQ(OptimizerOptions{.name = "lion"}.Validate().message(),
            "optimizer is 'lion'; it must be one of 'sgd', 'adam', 'adamw'");
}

}  // namespace
}  // namespace quantry::engine
