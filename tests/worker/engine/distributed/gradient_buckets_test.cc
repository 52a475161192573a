#include "worker/engine/distributed/gradient_buckets.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/distributed/run_ranks.h"

namespace quantry::engine {
namespace {

constexpr int64_t kSmallBucket = 100 * sizeof(float);

at::Tensor Leaf(std::vector<int64_t> sizes) { return at::ones(sizes).requires_grad_(true); }

// Three layers of one weight each, so that gradients come one after the other.
struct Chain {
  std::vector<at::Tensor> weights = {Leaf({60}), Leaf({60}), Leaf({60})};
  at::Tensor unused = Leaf({7});

  std::vector<at::Tensor> All() const { return {weights[0], unused, weights[1], weights[2]}; }
  at::Tensor Loss(double factor) const {
    at::Tensor x = at::ones({60});
    for (const at::Tensor& weight : weights) x = at::sin(x * weight);
    return x.sum() * factor;
  }
};

TEST(GradientBuckets, AddUpOverRanksWhileBackwardRuns) {
  RunRanks(2, [](Collective& ranks) {
    Chain chain;
    GradientBuckets buckets(chain.All(), ranks, kSmallBucket);
    std::vector<at::Tensor> own;
    for (int step = 0; step < 3; ++step) {
      for (at::Tensor& weight : chain.weights) weight.mutable_grad().reset();
      // What one rank has: (rank + 1) times as much.
      chain.Loss(1.0).backward();
      own.clear();
      for (at::Tensor& weight : chain.weights) {
        own.push_back(weight.grad().clone());
        weight.mutable_grad().reset();
      }
      buckets.Begin();
      chain.Loss(ranks.rank() + 1.0).backward();
      EXPECT_TRUE(buckets.Finish().ok());
      for (size_t i = 0; i < own.size(); ++i) {
        EXPECT_TRUE(chain.weights[i].grad().allclose(own[i] * 3.0)) << step << " " << i;
      }
      EXPECT_FALSE(chain.unused.grad().defined());
      // The first backward only shows the order.
      EXPECT_GE(buckets.overlapped(), step == 0 ? 0u : 2u);
      EXPECT_LE(buckets.overlapped(), step == 0 ? 0u : 4u);
    }
    EXPECT_GE(buckets.bucket_count(), 3u);
    return absl::OkStatus();
  });
}

TEST(GradientBuckets, TakeWhatEarlierBackwardsLeft) {
  RunRanks(2, [](Collective& ranks) {
    Chain chain;
    GradientBuckets buckets(chain.All(), ranks, kSmallBucket);
    for (int update = 0; update < 2; ++update) {
      for (at::Tensor& weight : chain.weights) weight.mutable_grad().reset();
      chain.Loss(1.0).backward();
      const at::Tensor once = chain.weights[1].grad().clone();
      if (ranks.rank() == 1) chain.Loss(1.0).backward();  // not heard of by the buckets
      buckets.Begin();
      chain.Loss(1.0).backward();
      EXPECT_TRUE(buckets.Finish().ok());
      // Two of rank 0, three of rank 1.
      EXPECT_TRUE(chain.weights[1].grad().allclose(once * 5.0));
    }
    return absl::OkStatus();
  });
}

TEST(GradientBuckets, AParameterWithAGradientOnOneRankGetsItOnAll) {
  RunRanks(2, [](Collective& ranks) {
    Chain chain;
    GradientBuckets buckets(chain.All(), ranks, kSmallBucket);
    for (int step = 0; step < 2; ++step) {
      chain.unused.mutable_grad().reset();
      buckets.Begin();
      at::Tensor loss = chain.Loss(1.0);
      if (ranks.rank() == 1) loss = loss + chain.unused.sum();
      loss.backward();
      EXPECT_TRUE(buckets.Finish().ok());
      EXPECT_TRUE(chain.unused.grad().defined());
      EXPECT_TRUE(chain.unused.grad().eq(1.0).all().item<bool>());
    }
    return absl::OkStatus();
  });
}

TEST(GradientBuckets, KeepTheLayoutOfParameters) {
  RunRanks(2, [](Collective& ranks) {
    at::Tensor weight = at::arange(2 * 3 * 4 * 4, at::kFloat)
                            .view({2, 3, 4, 4})
                            .contiguous(at::MemoryFormat::ChannelsLast)
                            .requires_grad_(true);
    GradientBuckets buckets({weight}, ranks);
    for (int step = 0; step < 2; ++step) {
      weight.mutable_grad().reset();
      buckets.Begin();
      weight.square().sum().backward();
      EXPECT_TRUE(buckets.Finish().ok());
      EXPECT_TRUE(weight.grad().equal(weight.detach() * 4.0));
    }
    return absl::OkStatus();
  });
}

// After the buckets are gone backward must not call them.
TEST(GradientBuckets, LeaveNoHookBehind) {
  SingleProcess alone;
  Chain chain;
  { GradientBuckets buckets(chain.All(), alone); }
  chain.Loss(1.0).backward();
  EXPECT_TRUE(chain.weights[0].grad().defined());
}

}  // namespace
}  // namespace quantry::engine
