#include "worker/engine/distributed/sync_batch_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/distributed/run_ranks.h"

namespace quantry::engine {
namespace {

constexpr int64_t kChannels = 5;
constexpr double kMomentum = 0.1;
constexpr double kEpsilon = 1e-5;

// One normalization with all that it reads and changes.
struct Norm {
  at::Tensor gamma = (at::arange(kChannels, at::kFloat) - 1.5f).requires_grad_(true);
  at::Tensor beta = at::full({kChannels}, 0.25f).requires_grad_(true);
  at::Tensor mean = at::full({kChannels}, 0.5f);
  at::Tensor variance = at::full({kChannels}, 2.0f);
};

void ExpectNear(const at::Tensor& a, const at::Tensor& b, const char* what) {
  EXPECT_TRUE(a.allclose(b, 1e-5, 1e-5)) << what << " differs by " << (a - b).abs().max();
}

// Ranks of 3 and 5 rows compute what one process does with 8.
void CompareWithOneProcess(std::vector<int64_t> tail, bool channels_last) {
  at::manual_seed(3);
  std::vector<int64_t> sizes = {8, kChannels};
  sizes.insert(sizes.end(), tail.begin(), tail.end());
  at::Tensor x = at::randn(sizes) * 3.0 + 10.0;  // a mean that is large beside the spread
  at::Tensor dy = at::randn(sizes);
  if (channels_last) x = x.contiguous(at::MemoryFormat::ChannelsLast);

  Norm one;
  const at::Tensor whole = x.clone().requires_grad_(true);
  const at::Tensor y = at::batch_norm(whole, one.gamma, one.beta, one.mean, one.variance, true,
                                      kMomentum, kEpsilon, false);
  y.backward(dy);
  std::vector<at::Tensor> d_gamma(2), d_beta(2);
  RunRanks(2, [&](Collective& ranks) {
    const int64_t first = ranks.rank() == 0 ? 0 : 3;
    const int64_t rows = ranks.rank() == 0 ? 3 : 5;
    Norm norm;
    const at::Tensor part = x.narrow(0, first, rows).clone().requires_grad_(true);
    const at::Tensor out = SyncBatchNorm(part, norm.gamma, norm.beta, norm.mean, norm.variance,
                                         kMomentum, kEpsilon, ranks);
    out.backward(dy.narrow(0, first, rows));
    ExpectNear(out, y.narrow(0, first, rows), "y");
    ExpectNear(part.grad(), whole.grad().narrow(0, first, rows), "dx");
    ExpectNear(norm.mean, one.mean, "running mean");
    ExpectNear(norm.variance, one.variance, "running variance");
    d_gamma[static_cast<size_t>(ranks.rank())] = norm.gamma.grad();
    d_beta[static_cast<size_t>(ranks.rank())] = norm.beta.grad();
    return absl::OkStatus();
  });
  ExpectNear(d_gamma[0] + d_gamma[1], one.gamma.grad(), "d gamma");
  ExpectNear(d_beta[0] + d_beta[1], one.beta.grad(), "d beta");
}

TEST(SyncBatchNorm, EqualsOneProcess) {
  CompareWithOneProcess({6, 4}, /*channels_last=*/false);
  CompareWithOneProcess({6, 4}, /*channels_last=*/true);
  CompareWithOneProcess({1, 1}, /*channels_last=*/true);
  CompareWithOneProcess({7}, /*channels_last=*/false);
  CompareWithOneProcess({}, /*channels_last=*/false);
}

TEST(SyncBatchNorm, OneElementPerChannelHasNoVariance) {
  SingleProcess alone;
  Norm norm;
  const at::Tensor x = at::ones({1, kChannels, 1, 1}).requires_grad_(true);
  const at::Tensor y =
      SyncBatchNorm(x, norm.gamma, norm.beta, norm.mean, norm.variance, kMomentum, kEpsilon, alone);
  y.sum().backward();
  EXPECT_TRUE(y.flatten().allclose(norm.beta));
  EXPECT_LT(x.grad().abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(norm.variance.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace quantry::engine
