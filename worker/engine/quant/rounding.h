#ifndef QUANTRY_WORKER_ENGINE_QUANT_ROUNDING_H_
#define QUANTRY_WORKER_ENGINE_QUANT_ROUNDING_H_

#include <cstdint>

namespace quantry::engine {

// How a value becomes an integer. The numbers are stored in graphs.
enum class Rounding : int64_t {
  // round(x / step), halves to the even neighbour: ONNX QuantizeLinear, LibTorch.
  kHalfToEven = 0,
  // round(x * q / s), halves away from zero, and back integer * s / q: the reference (Paddle).
  kHalfAwayFromZero = 1,
};

// What passes backward to the tensor that was quantized. The numbers are stored in graphs.
enum class InputGradient : int64_t {
  kMasked = 0,           // dx = dy where x is in range, else 0
  kStraightThrough = 1,  // dx = dy everywhere: the reference
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_ROUNDING_H_
