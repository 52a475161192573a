#ifndef QUANTRY_WORKER_ENGINE_KERNELS_WEIGHT_GRADIENT_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_WEIGHT_GRADIENT_H_

#include <memory>

#include "worker/engine/kernels/convolution.h"

namespace quantry::engine {

// The gradient of a convolution's weights; arrays as in Bf16Convolution::BackwardWeights.
// Thread-safe.
class WeightGradient {
 public:
  virtual ~WeightGradient() = default;
  virtual void Run(const void* x, const void* dy, float* dweights) const = 0;
};

// The fastest of three ways for `shape`. Throws dnnl::error where there is none.
std::unique_ptr<const WeightGradient> MakeWeightGradient(const ConvolutionShape& shape);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_WEIGHT_GRADIENT_H_
