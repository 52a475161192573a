#include "worker/engine/quant/quantizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/quant_config.h"
#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/observers.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

// The state that inserting makes for a quantizer of three channels.
ObserverState FreshState(const QuantizerDef& quantizer, std::vector<int64_t> shape,
                         int64_t window_size = 4) {
  const bool sums = quantizer.history == History::kSums;
  const bool window = quantizer.history == History::kWindow;
  std::vector<int64_t> window_shape = shape;
  window_shape.insert(window_shape.begin(), window_size);
  return {.scale = at::full(shape, kStartThreshold),
          .accum = quantizer.learned_offset ? at::zeros({kLearnedRangeSums})
                   : sums                   ? at::zeros(shape)
                                            : at::Tensor(),
          .state = sums ? at::zeros(shape) : at::Tensor(),
          .window = window ? at::zeros(window_shape) : at::Tensor(),
          .count = window ? at::zeros({}, at::kLong) : at::Tensor(),
          .initialized = at::zeros({}),
          .offset = quantizer.learned_offset ? at::zeros({}) : at::Tensor()};
}

float Observe(const QuantizerDef& quantizer, float seen, const ObserveOptions& options,
              const ObserverState& state) {
  return quantizer.observe(at::scalar_tensor(seen), options, state).item<float>();
}

TEST(QuantizerTest, TableAndConfigNameTheSame) {
  size_t for_weights = 0, for_activations = 0;
  for (const QuantizerDef& quantizer : QuantizerTable()) {
    for_weights += quantizer.for_weights;
    for_activations += quantizer.for_activations;
    EXPECT_EQ(FindQuantizer(quantizer.name), &quantizer);
  }
  EXPECT_GE(for_weights, SupportedWeightQuantizers().size());
  EXPECT_GE(for_activations, SupportedActivationQuantizers().size());
  for (const auto name : SupportedWeightQuantizers()) EXPECT_TRUE(FindQuantizer(name)->for_weights);
  for (const auto name : SupportedActivationQuantizers()) {
    EXPECT_TRUE(FindQuantizer(name)->for_activations);
  }
  EXPECT_EQ(FindQuantizer("none_such"), nullptr);
}

TEST(QuantizerTest, EveryQuantizerStartsWithTheFirstTensorAlone) {
  for (const QuantizerDef& quantizer : QuantizerTable()) {
    const int64_t axis = quantizer.per_channel ? 0 : -1;
    const ObserverState state =
        FreshState(quantizer, axis < 0 ? std::vector<int64_t>{} : std::vector<int64_t>{3});
    const at::Tensor x = at::tensor({1e-4f, -3e-4f, 2e-4f}).view({3, 1}).expand({3, 2});
    const at::Tensor s =
        quantizer.observe(x, {.bits = 4, .axis = axis, .is_weight = quantizer.for_weights}, state);
    at::Tensor expected = axis < 0 ? at::scalar_tensor(3e-4f) : at::tensor({1e-4f, 3e-4f, 2e-4f});
    if (quantizer.learned_offset) {
      expected = at::scalar_tensor(5e-4f / 15);
      EXPECT_NEAR(state.offset.item<float>(), -3e-4f, 1e-9f);
    } else if (quantizer.learned) {
      const at::Tensor mean = axis < 0 ? at::scalar_tensor(2e-4f) : expected;
      expected = mean * 2 / std::sqrt(7.0);
    }
    EXPECT_TRUE(at::allclose(s, expected)) << quantizer.name;
    EXPECT_TRUE(at::allclose(state.scale, expected)) << quantizer.name;
    EXPECT_EQ(state.initialized.item<float>(), 1.0f);
  }
}

TEST(QuantizerTest, MovingAverageFollowsTheRecurrence) {
  const QuantizerDef& quantizer = *FindQuantizer("moving_average_abs_max");
  const ObserverState state = FreshState(quantizer, {});
  double accum = 0, count = 0;
  for (const float seen : {3.0f, 1.0f, -4.0f, 1.5f, 9.0f}) {
    accum = 0.8 * accum + std::fabs(seen);
    count = 0.8 * count + 1;
    EXPECT_NEAR(Observe(quantizer, seen, {.moving_rate = 0.8}, state), accum / count, 1e-5);
  }
}

TEST(QuantizerTest, AbsMaxOfActivationsKeepsTheLargestAndOfWeightsTheLast) {
  const QuantizerDef& quantizer = *FindQuantizer("abs_max");
  for (const bool is_weight : {false, true}) {
    const ObserverState state = FreshState(quantizer, {});
    for (const float seen : {2.0f, 5.0f, 3.0f}) {
      EXPECT_EQ(Observe(quantizer, seen, {.is_weight = is_weight}, state), seen);
    }
    EXPECT_EQ(state.scale.item<float>(), is_weight ? 3.0f : 5.0f);
  }
}

// The reference's kernel, one number at a time.
class ScalarRange {
 public:
  explicit ScalarRange(size_t window) : ring_(window, 0.0f) {}

  float See(float cur) {
    const size_t index = count_ % ring_.size();
    const float removed = ring_[index];
    ring_[index] = cur;
    if (last_ < cur) {
      last_ = cur;
    } else if (std::fabs(removed - last_) < 1e-6f) {
      last_ = 0;
      for (size_t i = 0; i < std::min(count_, ring_.size()); ++i) last_ = std::max(last_, ring_[i]);
    }
    ++count_;
    return last_;
  }

 private:
  std::vector<float> ring_;
  size_t count_ = 0;
  float last_ = 0;
};

TEST(QuantizerTest, RangeEqualsTheScalarLoopForEveryWindow) {
  const QuantizerDef& quantizer = *FindQuantizer("range_abs_max");
  at::manual_seed(3);
  const at::Tensor seen = at::rand({60}) * 10;
  for (const int64_t window : {1, 2, 5, 100}) {
    const ObserverState state = FreshState(quantizer, {}, window);
    ScalarRange expected(static_cast<size_t>(window));
    for (int64_t i = 0; i < seen.numel(); ++i) {
      const auto value = seen[i].item<float>();
      EXPECT_EQ(Observe(quantizer, value, {}, state), expected.See(value)) << window << " " << i;
    }
    EXPECT_EQ(state.count.item<int64_t>(), 60);
  }
}

TEST(QuantizerTest, RangeForgetsTheLargestWhenItLeavesTheWindow) {
  const QuantizerDef& quantizer = *FindQuantizer("range_abs_max");
  const ObserverState state = FreshState(quantizer, {}, 2);
  EXPECT_EQ(Observe(quantizer, 9, {}, state), 9.0f);
  EXPECT_EQ(Observe(quantizer, 2, {}, state), 9.0f);
  EXPECT_EQ(Observe(quantizer, 3, {}, state), 3.0f);
}

TEST(QuantizerTest, LearnedStepsStartIsTheMeanOverCalibrationAndNeverZero) {
  const QuantizerDef& quantizer = *FindQuantizer("lsq_act");
  const ObserverState state = FreshState(quantizer, {});
  Observe(quantizer, 1, {.bits = 3}, state);
  EXPECT_NEAR(Observe(quantizer, -2, {.bits = 3}, state), 2 * 1.5 / std::sqrt(3.0), 1e-6);
  const ObserverState zeros = FreshState(quantizer, {});
  EXPECT_EQ(Observe(quantizer, 0, {}, zeros), kSmallestStep);
}

TEST(QuantizerTest, AsymmetricObserversLookBelowAndAboveZeroApart) {
  for (const char* name : {"abs_max", "range_abs_max", "moving_average_abs_max"}) {
    const QuantizerDef& quantizer = *FindQuantizer(name);
    const ObserverState state = FreshState(quantizer, {2});
    const at::Tensor s =
        quantizer.observe(at::tensor({-0.5f, 3.0f, 1.0f}), {.symmetric = false}, state);
    EXPECT_TRUE(at::allclose(s, at::tensor({0.5f, 3.0f}))) << name;
    EXPECT_TRUE(at::equal(MagnitudesOf(at::tensor({2.0f, 3.0f}), {.symmetric = false}),
                          at::tensor({0.0f, 3.0f})));
  }
}

}  // namespace
}  // namespace quantry::engine
