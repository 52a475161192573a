#include "worker/engine/train/loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "worker/engine/train/mixup.h"

namespace quantry::engine {
namespace {

const LossOptions kPlain;

double Compute(const char* name, const at::Tensor& outputs, const at::Tensor& targets,
               const LossOptions& options = kPlain) {
  return FindLoss(name)->compute(outputs, targets, options).item<double>();
}

// Class labels and the dense targets that they stand for give the same, smoothed or not.
TEST(LossTest, EveryLossTakesClassesAndDenseTargets) {
  at::manual_seed(2);
  const at::Tensor outputs = at::randn({4, 3});
  const at::Tensor labels = at::tensor({0, 2, 1, 2}, at::kLong);
  const at::Tensor dense = at::one_hot(labels, 3).to(at::kFloat);
  for (const LossDef* loss : LossTable()) {
    for (const double smoothing : {0.0, 0.2}) {
      const LossOptions options{.name = std::string(loss->name), .label_smoothing = smoothing};
      EXPECT_TRUE(options.Validate().ok()) << loss->name;
      EXPECT_NEAR(loss->compute(outputs, labels, options).item<double>(),
                  loss->compute(outputs, dense, options).item<double>(), 1e-6)
          << loss->name << " " << smoothing;
    }
    EXPECT_NE(Compute(loss->name.data(), outputs, labels),
              Compute(loss->name.data(), outputs, labels, {.label_smoothing = 0.5}))
        << loss->name;
  }
  EXPECT_FALSE(LossOptions{.name = "hinge"}.Validate().ok());
}

TEST(LossTest, ValuesByHand) {
  const at::Tensor outputs = at::tensor({2.0f, 0.0f}).view({1, 2});
  const at::Tensor label = at::tensor({1}, at::kLong);
  EXPECT_NEAR(Compute("cross_entropy", outputs, label), std::log(1 + std::exp(2.0)), 1e-6);
  EXPECT_NEAR(Compute("bce", outputs, label), (std::log(1 + std::exp(2.0)) + std::log(2.0)) / 2,
              1e-6);
  EXPECT_NEAR(Compute("mse", outputs, label), (4.0 + 1.0) / 2, 1e-6);
  EXPECT_NEAR(Compute("huber", outputs, label), (1.5 + 0.5) / 2, 1e-6);
  EXPECT_NEAR(Compute("huber", outputs, label, {.huber_delta = 0.5}), (0.875 + 0.375) / 2, 1e-6);
}

TEST(MixupTest, MixesPicturesAndTargetsAlikeAndDependsOnTheSeedAlone) {
  const at::Tensor x = at::arange(8, at::kFloat).view({8, 1});
  const Mixup mixup = Mixup::Draw(8, 0.4, 11);
  EXPECT_GT(mixup.share, 0.0);
  EXPECT_LT(mixup.share, 1.0);
  const at::Tensor mixed = mixup.Mix(x);
  for (int64_t i = 0; i < 8; ++i) {
    const double other = mixup.order[i].item<double>();
    EXPECT_NEAR(mixed[i].item<double>(),
                mixup.share * static_cast<double>(i) + (1 - mixup.share) * other, 1e-5);
  }
  const Mixup again = Mixup::Draw(8, 0.4, 11);
  EXPECT_EQ(again.share, mixup.share);
  EXPECT_TRUE(at::equal(again.order, mixup.order));
  EXPECT_NE(Mixup::Draw(8, 0.4, 12).share, mixup.share);
}

}  // namespace
}  // namespace quantry::engine
