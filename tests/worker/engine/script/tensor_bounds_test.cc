#include "worker/engine/script/tensor_bounds.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace quantry::engine {
namespace {

// A view of 8 floats as a file may claim it.
at::Tensor Claimed(std::vector<int64_t> sizes, std::vector<int64_t> strides, int64_t offset = 0) {
  at::Tensor tensor = at::zeros({8});
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  tensor.unsafeGetTensorImpl()->set_storage_offset(offset);
  return tensor;
}

TEST(TensorBounds, WithinItsMemoryIsFine) {
  EXPECT_NO_THROW(CheckBounds({}));
  EXPECT_NO_THROW(CheckBounds(at::zeros({2, 3})));
  EXPECT_NO_THROW(CheckBounds(at::zeros({0})));
  EXPECT_NO_THROW(CheckBounds(at::zeros({3, 2}).t()));
  EXPECT_NO_THROW(CheckBounds(at::zeros({1, 3}).expand({100, 3})));
  EXPECT_NO_THROW(CheckBounds(Claimed({2, 4}, {4, 1})));
  EXPECT_NO_THROW(CheckBounds(Claimed({1}, {1}, 7)));
}

TEST(TensorBounds, BeyondItIsRefused) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_THROW(CheckBounds(Claimed({9}, {1})), c10::Error);
  EXPECT_THROW(CheckBounds(Claimed({8}, {1}, 1)), c10::Error);
  EXPECT_THROW(CheckBounds(Claimed({2, 4}, {5, 1})), c10::Error);
  EXPECT_THROW(CheckBounds(Claimed({3}, {kMost})), c10::Error);
  EXPECT_THROW(CheckBounds(Claimed({2, 2}, {kMost, kMost})), c10::Error);
  EXPECT_THROW(CheckBounds(Claimed({int64_t{1} << 40}, {0})), c10::Error);
}

}  // namespace
}  // namespace quantry::engine
