#ifndef QUANTRY_WORKER_ENGINE_KERNELS_DEPTHWISE_GRADIENT_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_DEPTHWISE_GRADIENT_H_

#include <cstdint>

#include "worker/engine/kernels/convolution.h"
#include "worker/engine/kernels/elements.h"

namespace quantry::engine {

// Whether the kernel below is for `shape`: one input and one output channel per group.
bool IsDepthwise(const ConvolutionShape& shape);

// Part of the gradient of a depthwise convolution's weights:
//   sums[i][j][c] = sum over pictures and places (y, x) of dy[y][x][c] * x[y * stride + i *
//   dilation
//                   - begin][...][c],
// for channels [first_channel, first_channel + channels) of the `pictures` that x and dy begin
// with. x and dy are bf16, laid out as in Bf16Convolution; sums are float32, [kernel height, kernel
// width, channels of the shape], of which the other channels are left alone. Single-threaded,
// thread-safe; vector instructions of the machine (Highway).
void DepthwiseWeightSums(const ConvolutionShape& shape, ConstElements x, ConstElements dy,
                         int64_t pictures, int64_t first_channel, int64_t channels, float* sums);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_DEPTHWISE_GRADIENT_H_
