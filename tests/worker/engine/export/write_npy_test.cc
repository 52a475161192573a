#include "worker/engine/export/write_npy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/files.h"

namespace quantry::engine {
namespace {

// That NumPy reads such a file is seen in tests/e2e/onnx_runtime_test.py.
TEST(WriteNpyTest, HeaderIsAlignedAndDataFollowInRowOrder) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "array.npy";
  const at::Tensor transposed = at::arange(6, at::kFloat).view({2, 3}).t();
  ASSERT_TRUE(WriteNpyFile(transposed, path).ok());
  const std::string bytes = ReadFile(path).value();
  ASSERT_GT(bytes.size(), 10u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const size_t length = static_cast<unsigned char>(bytes[8]) | static_cast<size_t>(bytes[9]) << 8;
  EXPECT_EQ((10 + length) % 64, 0u);
  EXPECT_NE(bytes.find("'shape': (3,2,)"), std::string::npos);
  ASSERT_EQ(bytes.size(), 10 + length + 6 * sizeof(float));
  float values[6];
  std::memcpy(values, bytes.data() + 10 + length, sizeof(values));
  const float expected[] = {0, 3, 1, 4, 2, 5};
  EXPECT_EQ(std::memcmp(values, expected, sizeof(values)), 0);
  EXPECT_TRUE(RemoveAll(path).ok());
}

TEST(WriteNpyTest, OtherTypesAreRefused) {
  EXPECT_EQ(WriteNpyFile(at::zeros({2}, at::kLong), "/nowhere/x.npy").code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantry::engine
