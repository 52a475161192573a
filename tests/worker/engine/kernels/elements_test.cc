#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "worker/engine/kernels/elements.h"

namespace quantry::engine {
namespace {

// Numbers of every size, halves between two bf16 numbers among them.
at::Tensor Numbers() {
  at::manual_seed(1);
  const at::Tensor any = at::randn({1003}) * at::pow(2.0, at::randint(-60, 60, {1003}));
  const at::Tensor whole = at::arange(-257, 258, at::kFloat);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const at::Tensor rare = at::tensor({0.0f, -0.0f, kInfinity, -kInfinity, 1.00390625f, 1.01171875f,
                                      -1.00390625f, 3.4e38f, 1e-40f});
  return at::cat({any, whole, rare});
}

TEST(Elements, RoundToBf16AsAtenDoes) {
  const at::Tensor numbers = Numbers();
  at::Tensor rounded = at::empty(numbers.sizes(), at::kBFloat16);
  FloatToElements(numbers.data_ptr<float>(), {rounded.data_ptr(), ElementType::kBf16},
                  numbers.numel());
  EXPECT_TRUE(at::equal(rounded, numbers.to(at::kBFloat16)));
}

TEST(Elements, NotANumberStays) {
  const float nan = std::nanf("");
  uint16_t rounded = 0;
  FloatToElements(&nan, {&rounded, ElementType::kBf16}, 1);
  float back = 0;
  ElementsToFloat({&rounded, ElementType::kBf16}, 1.0f, &back, 1);
  EXPECT_TRUE(std::isnan(back));
}

TEST(Elements, AreMultipliedAsFloats) {
  const at::Tensor halves = Numbers().to(at::kBFloat16);
  at::Tensor floats = at::empty(halves.sizes(), at::kFloat);
  ElementsToFloat({halves.data_ptr(), ElementType::kBf16}, 0.3f, floats.data_ptr<float>(),
                  halves.numel());
  EXPECT_TRUE(at::equal(floats, halves.to(at::kFloat) * at::tensor(0.3f)));
}

TEST(Elements, AreCountedInSteps) {
  const at::Tensor x = at::cat({at::randn({100}), at::tensor({0.25f, 0.75f, -0.25f, 63.5f})});
  at::Tensor counts = at::empty(x.sizes(), at::kBFloat16);
  CountSteps(x.data_ptr<float>(), 0.5f, {counts.data_ptr(), ElementType::kBf16}, x.numel());
  EXPECT_TRUE(at::equal(counts.to(at::kFloat), (x / 0.5).round()));
}

TEST(Elements, FromCountsElements) {
  float floats[3] = {1, 2, 3};
  EXPECT_EQ(From(Elements{floats}, 2).data, floats + 2);
  uint16_t halves[3] = {1, 2, 3};
  EXPECT_EQ(From(ConstElements{halves, ElementType::kBf16}, 2).data, halves + 2);
  EXPECT_EQ(From(ConstElements{}, 5).data, nullptr);
}

}  // namespace
}  // namespace quantry::engine
