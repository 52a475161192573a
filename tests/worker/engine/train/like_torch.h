#ifndef QUANTRY_TESTS_WORKER_ENGINE_TRAIN_LIKE_TORCH_H_
#define QUANTRY_TESTS_WORKER_ENGINE_TRAIN_LIKE_TORCH_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace quantry::engine {

// Runs eight steps at rate 0.1 of the optimizers that `make_ours` and `make_theirs` make for one
// parameter, on the same least-squares problem: ours is to end where torch's does.
template <typename MakeOurs, typename MakeTheirs>
void ExpectLikeTorch(MakeOurs make_ours, MakeTheirs make_theirs) {
  at::manual_seed(3);
  const at::Tensor start = at::randn({4, 3});
  const at::Tensor x = at::randn({8, 3});
  const at::Tensor target = at::randn({8, 4});
  at::Tensor ours = start.clone().requires_grad_(true);
  at::Tensor theirs = start.clone().requires_grad_(true);
  auto optimizer = make_ours(ours);
  auto reference = make_theirs(theirs);
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

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_TRAIN_LIKE_TORCH_H_
