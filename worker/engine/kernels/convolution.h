#ifndef QUANTRY_WORKER_ENGINE_KERNELS_CONVOLUTION_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_CONVOLUTION_H_

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace quantry::engine {

// Two-dimensional convolutions of bf16 operands with sums in float32, by oneDNN, on plain arrays.
// Pictures are [batch, height, width, channels] in memory (channels_last), weights [out_channels,
// in_channels / groups, height, width].
//
// Integers up to 256 are exact in bf16, and so are their products in float32; their sums are as
// long as they stay below 2^24: any sum of 1,040 products of integers up to 127. So on integers the
// forward pass is an integer convolution.
struct ConvolutionShape {
  int64_t batch = 1;
  int64_t in_channels = 1;
  int64_t out_channels = 1;
  int64_t groups = 1;
  // Height and width.
  std::array<int64_t, 2> picture = {1, 1};
  std::array<int64_t, 2> kernel = {1, 1};
  std::array<int64_t, 2> strides = {1, 1};
  std::array<int64_t, 2> dilations = {1, 1};  // 1: none
  std::array<int64_t, 2> begin = {0, 0};      // padding
  std::array<int64_t, 2> end = {0, 0};

  // Height and width of what comes out; not above 0 where the kernel is larger than the padded
  // picture.
  std::array<int64_t, 2> Result() const;

  friend auto operator<=>(const ConvolutionShape&, const ConvolutionShape&) = default;
};

// The three passes for one shape. Thread-safe; runs on as many threads as OpenMP is set to.
class Bf16Convolution {
 public:
  // Kept for the next one who asks. Null where oneDNN has none for the shape or the machine.
  static std::shared_ptr<const Bf16Convolution> Of(const ConvolutionShape& shape);
  ~Bf16Convolution();

  // Weights in the layouts that the passes read fastest: bytes of each, and how they come to be
  // from bf16 ones in their plain layout.
  size_t ForwardWeightBytes() const;
  size_t BackwardWeightBytes() const;
  void PackForward(const void* weights, void* packed) const;
  void PackBackward(const void* weights, void* packed) const;

  // x is bf16, y float32.
  void Forward(const void* x, const void* packed, float* y) const;
  // dy and dx are bf16.
  void BackwardInput(const void* dy, const void* packed, void* dx) const;
  // x and dy are bf16, the gradient of the weights float32 in their plain layout.
  void BackwardWeights(const void* x, const void* dy, float* dweights) const;

 private:
  struct Passes;
  explicit Bf16Convolution(std::unique_ptr<const Passes> passes);
  std::unique_ptr<const Passes> passes_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CONVOLUTION_H_
