#ifndef QUANTRY_WORKER_ENGINE_PASSES_EQUALIZE_LAYERS_H_
#define QUANTRY_WORKER_ENGINE_PASSES_EQUALIZE_LAYERS_H_

#include <cstdint>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// What EqualizeLayers did.
struct Equalization {
  int64_t pairs = 0;    // of layers that were balanced
  int64_t clipped = 0;  // pairs left alone because a Clip stands between them
  int sweeps = 0;       // over all pairs, until nothing changed any more
};

// Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization
// and Bias Correction", section 4.1): where a Conv or Gemm alone feeds a Conv or Gemm, perhaps
// through functions f with f(s x) = s f(x) for s > 0, channel i between them can be divided by any
// s_i > 0 in the first and multiplied by it in the second:
//   W1[i] / s_i, b1[i] / s_i, W2[:, i] * s_i,  s_i = sqrt(r1_i / r2_i),
// r the largest magnitude of the channel's weights on either side (the paper's equation 11). Both
// are then sqrt(r1_i r2_i), so that one scale per tensor wastes less of its range. Chains are swept
// over until no s differs from 1 by more than 1e-4, at most 40 times.
//
// Such f are Relu, LeakyRelu, max and average pooling, Flatten and Dropout. Clip (ReLU6) is not:
// its pairs are only counted. Grouped and depthwise convolutions are known. Channels that are
// practically zero on one side (1e-4 of the largest) are left alone: nothing would be gained, and
// their biases would become the largest activations. BatchNorm between the two must have been
// folded before. Weights and biases that several nodes share are left alone. The function of the
// network stays the same, up to rounding in float32.
Equalization EqualizeLayers(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_EQUALIZE_LAYERS_H_
