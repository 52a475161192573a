#include "worker/engine/quant/quantizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/quant_config.h"

namespace quantry::engine {
namespace {

ObserverState FreshState(const QuantizerDef& quantizer, int64_t channels) {
  const std::vector<int64_t> shape =
      quantizer.per_channel ? std::vector<int64_t>{channels} : std::vector<int64_t>{};
  return {.scale = at::full(shape, kStartThreshold),
          .accum = quantizer.averages ? at::zeros(shape) : at::Tensor(),
          .state = quantizer.averages ? at::zeros(shape) : at::Tensor(),
          .initialized = at::zeros({})};
}

TEST(QuantizerTest, TableAndConfigNameTheSame) {
  size_t for_weights = 0, for_activations = 0;
  for (const QuantizerDef& quantizer : QuantizerTable()) {
    for_weights += quantizer.for_weights;
    for_activations += quantizer.for_activations;
    EXPECT_EQ(FindQuantizer(quantizer.name), &quantizer);
  }
  EXPECT_EQ(for_weights, SupportedWeightQuantizers().size());
  EXPECT_EQ(for_activations, SupportedActivationQuantizers().size());
  for (const auto name : SupportedWeightQuantizers()) EXPECT_TRUE(FindQuantizer(name)->for_weights);
  for (const auto name : SupportedActivationQuantizers()) {
    EXPECT_TRUE(FindQuantizer(name)->for_activations);
  }
  EXPECT_EQ(FindQuantizer("none_such"), nullptr);
}

TEST(QuantizerTest, EveryQuantizerStartsWithTheFirstMaximum) {
  for (const QuantizerDef& quantizer : QuantizerTable()) {
    const ObserverState state = FreshState(quantizer, 3);
    const at::Tensor first = at::full_like(state.scale, 0.0001f);
    const at::Tensor s = quantizer.observe(first, 0.9, quantizer.for_weights, state);
    EXPECT_TRUE(at::allclose(s, first)) << quantizer.name;
    EXPECT_TRUE(at::allclose(state.scale, first)) << quantizer.name;
    EXPECT_EQ(state.initialized.item<float>(), 1.0f);
  }
}

TEST(QuantizerTest, MovingAverageFollowsTheRecurrence) {
  const QuantizerDef& quantizer = *FindQuantizer("moving_average_abs_max");
  const ObserverState state = FreshState(quantizer, 0);
  double accum = 0, count = 0;
  for (const float seen : {3.0f, 1.0f, 4.0f, 1.5f, 9.0f}) {
    accum = 0.8 * accum + seen;
    count = 0.8 * count + 1;
    const at::Tensor s = quantizer.observe(at::scalar_tensor(seen), 0.8, false, state);
    EXPECT_NEAR(s.item<double>(), accum / count, 1e-5);
  }
}

TEST(QuantizerTest, AbsMaxOfActivationsKeepsTheLargestAndOfWeightsTheLast) {
  const QuantizerDef& quantizer = *FindQuantizer("abs_max");
  for (const bool is_weight : {false, true}) {
    const ObserverState state = FreshState(quantizer, 0);
    for (const float seen : {2.0f, 5.0f, 3.0f}) {
      EXPECT_EQ(quantizer.observe(at::scalar_tensor(seen), 0.9, is_weight, state).item<float>(),
                seen);
    }
    EXPECT_EQ(state.scale.item<float>(), is_weight ? 3.0f : 5.0f);
  }
}

}  // namespace
}  // namespace quantry::engine
