#ifndef QUANTRY_TESTS_WORKER_ENGINE_OPS_NAIVE_WINDOW_H_
#define QUANTRY_TESTS_WORKER_ENGINE_OPS_NAIVE_WINDOW_H_

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace quantry::engine {

// Scalar loops in double after the ONNX specification, for 2-d windows.
struct NaiveWindow {
  std::array<int64_t, 2> kernel = {1, 1};
  std::array<int64_t, 2> strides = {1, 1};
  std::array<int64_t, 2> dilations = {1, 1};
  std::array<int64_t, 4> pads = {0, 0, 0, 0};  // top, left, bottom, right
};

// x [N, C, H, W], weight [O, C / group, kh, kw], bias [O] or undefined.
at::Tensor NaiveConv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const NaiveWindow& window, int64_t group);

// x [N, C, H, W], weight [C, O / group, kh, kw]: each input element is spread over the output.
at::Tensor NaiveConvTranspose(const at::Tensor& x, const at::Tensor& weight,
                              const NaiveWindow& window, int64_t group, int64_t output_padding);

enum class NaivePooling { kMax, kMean, kMeanOverPadding };

at::Tensor NaivePool(const at::Tensor& x, const NaiveWindow& window, NaivePooling pooling);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_OPS_NAIVE_WINDOW_H_
