// Each kernel for CUDA devices against that for the CPU. Skipped where there is no device.
#include "worker/engine/kernels/cuda/device_chain.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "worker/engine/kernels/chain.h"

namespace quantry::engine {
namespace {

// An array of the device.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)), cudaSuccess);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    EXPECT_EQ(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> values(count_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t count_;
};

std::vector<float> Random(int64_t count, float scale, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(engine);
  return values;
}

// Activation; rows and channels (1: no affine part).
using Case = std::tuple<ChainActivation, std::pair<int64_t, int64_t>>;

class DeviceChainTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
      GTEST_SKIP() << "there is no CUDA device";
    }
    std::tie(shape_.rows, shape_.channels) = std::get<1>(GetParam());
    const int64_t count = shape_.rows * shape_.channels;
    x_ = Random(count, 2, 4);
    r_ = Random(count, 2, 5);
    dy_ = Random(count, 1, 6);
    chain_.channels = shape_.channels;
    chain_.activation = std::get<0>(GetParam());
    chain_.has_inner = chain_.has_outer = true;
    chain_.inner = {-2.0f, 2.0f, 2.0f / 127};
    chain_.outer = {-1.5f, 1.9f, 1.9f / 127};
    chain_.operand_step = 0.5f;
    chain_.slope = 0.1f;
    chain_.offset = 0.5f;
    if (shape_.channels > 1) {
      mean_ = Random(shape_.channels, 1, 1);
      scale_ = Random(shape_.channels, 1, 2);
      shift_ = Random(shape_.channels, 1, 3);
    }
    periodic_ = {Periodic(mean_), Periodic(scale_), Periodic(shift_)};
    chain_.mean = periodic_[0].data();
    chain_.scale = periodic_[1].data();
    chain_.shift = periodic_[2].data();
  }

  static ConstElements Of(const std::vector<float>& values) { return {values.data()}; }
  static ConstElements Of(const DeviceArray<float>& array) { return {array.data()}; }

  DeviceChain OnDevice(const DeviceArray<float>& channels, const DeviceArray<float>& grids) const {
    const float* numbers = grids.data();
    return {.form = ChainForm::Of(chain_, /*has_operand=*/true),
            .mean = channels.data(),
            .scale = channels.data() + shape_.channels,
            .shift = channels.data() + 2 * shape_.channels,
            .inner = {numbers, numbers + 1, numbers + 2},
            .outer = {numbers + 3, numbers + 4, numbers + 5}};
  }
  std::vector<float> ChannelNumbersOf() const {
    std::vector<float> all = mean_;
    all.insert(all.end(), scale_.begin(), scale_.end());
    all.insert(all.end(), shift_.begin(), shift_.end());
    return all;
  }
  std::vector<float> Grids() const {
    return {chain_.inner.low, chain_.inner.high, chain_.inner.step,
            chain_.outer.low, chain_.outer.high, chain_.outer.step};
  }

  DeviceRows shape_;
  ElementwiseChain chain_;
  std::vector<float> mean_ = {0.0f}, scale_ = {1.0f}, shift_ = {0.0f};
  std::vector<std::vector<float>> periodic_;
  std::vector<float> x_, r_, dy_;
};

TEST_P(DeviceChainTest, ResultsAreThoseOfTheCpu) {
  const DeviceArray<float> x(x_), r(r_), channels(ChannelNumbersOf()), grids(Grids()), y(x_.size());
  ASSERT_TRUE(
      DeviceForward(Of(x), Of(r), {y.data()}, shape_, OnDevice(channels, grids), nullptr).ok());
  std::vector<float> expected(x_.size());
  ChainForward(Of(x_), Of(r_), {expected.data()}, shape_.rows, chain_);
  const std::vector<float> results = y.values();
  // A value in the middle of two levels may go either way by its last bit.
  size_t others = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    if (std::abs(results[i] - expected[i]) > 1e-6f) ++others;
    ASSERT_NEAR(results[i], expected[i], 1.01f * chain_.outer.step) << i;
  }
  EXPECT_LE(others, 2 + results.size() / 20000);
}

TEST_P(DeviceChainTest, RangesAreThoseOfTheCpu) {
  const DeviceArray<float> x(x_), r(r_), channels(ChannelNumbersOf()), grids(Grids()), range(2);
  const DeviceArray<float> workspace(static_cast<size_t>(DeviceWorkspaceFloats(shape_)));
  ASSERT_TRUE(DeviceRangeOf(Of(x), Of(r), shape_, OnDevice(channels, grids), range.data(),
                            workspace.data(), nullptr)
                  .ok());
  const ChainRange expected = ChainRangeOf(Of(x_), Of(r_), shape_.rows, chain_);
  EXPECT_NEAR(range.values()[0], expected.least, 1e-5);
  EXPECT_NEAR(range.values()[1], expected.most, 1e-5);
}

TEST_P(DeviceChainTest, NotANumberIsInTheRange) {
  x_[x_.size() / 2] = std::nanf("");
  const DeviceArray<float> x(x_), r(r_), channels(ChannelNumbersOf()), grids(Grids()), range(2);
  const DeviceArray<float> workspace(static_cast<size_t>(DeviceWorkspaceFloats(shape_)));
  ASSERT_TRUE(DeviceRangeOf(Of(x), Of(r), shape_, OnDevice(channels, grids), range.data(),
                            workspace.data(), nullptr)
                  .ok());
  EXPECT_TRUE(std::isnan(range.values()[0]) && std::isnan(range.values()[1]));
}

TEST_P(DeviceChainTest, StatisticsAreThoseOfTheNumbers) {
  const auto channels = static_cast<size_t>(shape_.channels);
  const DeviceArray<float> x(x_), least(channels), most(channels);
  const DeviceArray<double> mean(channels), variance(channels);
  const DeviceArray<float> workspace(static_cast<size_t>(DeviceWorkspaceFloats(shape_)));
  ASSERT_TRUE(DeviceStatisticsOf(Of(x), shape_,
                                 {mean.data(), variance.data(), least.data(), most.data()},
                                 workspace.data(), nullptr)
                  .ok());
  for (size_t c = 0; c < channels; ++c) {
    double sum = 0, square = 0;
    float low = std::numeric_limits<float>::infinity(), high = -low;
    for (size_t i = c; i < x_.size(); i += channels) {
      sum += static_cast<double>(x_[i]);
      square += static_cast<double>(x_[i]) * static_cast<double>(x_[i]);
      low = std::min(low, x_[i]);
      high = std::max(high, x_[i]);
    }
    const double n = static_cast<double>(x_.size() / channels);
    EXPECT_NEAR(mean.values()[c], sum / n, 1e-5);
    EXPECT_NEAR(variance.values()[c], square / n - sum / n * sum / n, 1e-4);
    EXPECT_EQ(least.values()[c], low);
    EXPECT_EQ(most.values()[c], high);
  }
}

TEST_P(DeviceChainTest, SumsOfGradientsAreThoseOfTheCpu) {
  const auto count = static_cast<size_t>(shape_.channels);
  const DeviceArray<float> x(x_), r(r_), dy(dy_), channels(ChannelNumbersOf()), grids(Grids());
  const DeviceArray<float> dr(x_.size());
  const DeviceArray<double> gradient(count), moment(count);
  const DeviceArray<float> workspace(static_cast<size_t>(DeviceWorkspaceFloats(shape_)));
  ASSERT_TRUE(DeviceBackwardSums(Of(x), Of(r), Of(dy), {dr.data()}, shape_,
                                 OnDevice(channels, grids), {gradient.data(), moment.data()},
                                 workspace.data(), nullptr)
                  .ok());
  const auto period = static_cast<size_t>(RowsPerPeriod(shape_.channels)) * count;
  std::vector<float> sums(period, 0.0f), moments(period, 0.0f), of_operand(x_.size());
  ChainBackwardSums(Of(x_), Of(r_), Of(dy_), {of_operand.data()}, shape_.rows, chain_,
                    {.gradient = sums.data(), .moment = moments.data()});
  for (size_t c = 0; c < count; ++c) {
    double expected = 0, expected_moment = 0;
    for (size_t i = c; i < period; i += count) {
      expected += static_cast<double>(sums[i]);
      expected_moment += static_cast<double>(moments[i]);
    }
    const double size = std::sqrt(static_cast<double>(shape_.rows));
    EXPECT_NEAR(gradient.values()[c], expected, 1e-4 * size) << c;
    EXPECT_NEAR(moment.values()[c], expected_moment, 1e-3 * size) << c;
  }
  const std::vector<float> operand = dr.values();
  for (size_t i = 0; i < operand.size(); ++i) ASSERT_NEAR(operand[i], of_operand[i], 1e-5) << i;
}

TEST_P(DeviceChainTest, GradientsAreThoseOfTheCpu) {
  const std::vector<float> offsets = Random(shape_.channels, 0.1f, 7);
  const std::vector<float> slopes = Random(shape_.channels, 0.1f, 8);
  const DeviceArray<float> x(x_), r(r_), dy(dy_), channels(ChannelNumbersOf()), grids(Grids());
  const DeviceArray<float> dx(x_.size()), scale(scale_), offset(offsets), slope(slopes);
  ASSERT_TRUE(DeviceBackwardInput(Of(x), Of(r), Of(dy), {dx.data()}, shape_,
                                  OnDevice(channels, grids),
                                  {scale.data(), offset.data(), slope.data()}, nullptr)
                  .ok());
  const std::vector<float> scales = Periodic(scale_), all_offsets = Periodic(offsets),
                           all_slopes = Periodic(slopes);
  std::vector<float> expected(x_.size());
  ChainBackwardInput(Of(x_), Of(r_), Of(dy_), {expected.data()}, shape_.rows, chain_,
                     {scales.data(), all_offsets.data(), all_slopes.data()});
  const std::vector<float> gradients = dx.values();
  for (size_t i = 0; i < gradients.size(); ++i) {
    ASSERT_NEAR(gradients[i], expected[i], 1e-5 * std::max(1.0f, std::abs(expected[i]))) << i;
  }
}

TEST_P(DeviceChainTest, WhatQuantizersLearnIsThatOfTheCpu) {
  for (const ChainGridPlace place : {ChainGridPlace::kInner, ChainGridPlace::kOuter}) {
    const ChainGridProbe probe = {.place = place, .low = -1.0f, .high = 1.2f};
    const DeviceArray<float> x(x_), r(r_), dy(dy_), channels(ChannelNumbersOf()), grids(Grids());
    const DeviceArray<float> bounds(std::vector<float>{probe.low, probe.high});
    const DeviceArray<float> workspace(static_cast<size_t>(DeviceWorkspaceFloats(shape_)));
    const DeviceArray<double> sums(3);
    ASSERT_TRUE(DeviceGridSums(Of(x), Of(r), Of(dy), shape_, OnDevice(channels, grids),
                               {place, bounds.data(), bounds.data() + 1}, sums.data(),
                               workspace.data(), nullptr)
                    .ok());
    const ChainGridSums expected =
        ChainGridSumsOf(Of(x_), Of(r_), Of(dy_), shape_.rows, chain_, probe);
    const double size = std::sqrt(static_cast<double>(x_.size()));
    EXPECT_NEAR(sums.values()[0], expected.below, 1e-4 * size);
    EXPECT_NEAR(sums.values()[1], expected.above, 1e-4 * size);
    EXPECT_NEAR(sums.values()[2], expected.rounding, 1e-3 * size);
  }
}

// Several blocks of rows; columns that do not fill a warp; no channels at all.
INSTANTIATE_TEST_SUITE_P(
    Chains, DeviceChainTest,
    testing::Combine(testing::Values(ChainActivation::kClamp, ChainActivation::kHardSwish,
                                     ChainActivation::kSigmoid, ChainActivation::kSilu,
                                     ChainActivation::kGelu, ChainActivation::kGeluTanh,
                                     ChainActivation::kHardSigmoid, ChainActivation::kLeakyRelu),
                     testing::Values(std::pair<int64_t, int64_t>(1000, 64),
                                     std::pair<int64_t, int64_t>(77, 3),
                                     std::pair<int64_t, int64_t>(5, 1000),
                                     std::pair<int64_t, int64_t>(300001, 1))));

}  // namespace
}  // namespace quantry::engine
