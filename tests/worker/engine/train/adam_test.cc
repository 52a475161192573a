#include "worker/engine/train/adam.h"

#include <gtest/gtest.h>
#include <torch/optim.h>

#include "tests/worker/engine/train/like_torch.h"
#include "worker/engine/train/adamw.h"

namespace quantry::engine {
namespace {

template <typename Ours, typename Theirs, typename TheirOptions>
void ExpectLikeTorchsAdam(double weight_decay) {
  ExpectLikeTorch(
      [&](const at::Tensor& w) {
        return Ours({{.parameters = {{"w", w}}, .weight_decay = weight_decay}},
                    {.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6});
      },
      [&](const at::Tensor& w) {
        return Theirs({w}, TheirOptions(0.1)
                               .betas(std::make_tuple(0.8, 0.95))
                               .eps(1e-6)
                               .weight_decay(weight_decay));
      });
}

TEST(AdamTest, IsTorchAdam) {
  ExpectLikeTorchsAdam<Adam, torch::optim::Adam, torch::optim::AdamOptions>(0.0);
  ExpectLikeTorchsAdam<Adam, torch::optim::Adam, torch::optim::AdamOptions>(0.1);
}

TEST(AdamWTest, IsTorchAdamW) {
  ExpectLikeTorchsAdam<AdamW, torch::optim::AdamW, torch::optim::AdamWOptions>(0.0);
  ExpectLikeTorchsAdam<AdamW, torch::optim::AdamW, torch::optim::AdamWOptions>(0.1);
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
