#ifndef QUANTRY_WORKER_ENGINE_PASSES_FOLD_BATCH_NORM_H_
#define QUANTRY_WORKER_ENGINE_PASSES_FOLD_BATCH_NORM_H_

#include <cstdint>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Folds each BatchNormalization that alone reads a Conv's output into that Conv: with f =
// gamma / sqrt(variance + epsilon) per channel,
//   weight' = weight * f,   bias' = beta + (bias - mean) * f.
// Exact for evaluation; never divides by gamma, so gamma = 0 and gamma < 0 are no special cases.
// Two kinds of weight are known:
//  - a float initializer: multiplied;
//  - DequantizeLinear of int8 or int16 integers: the scale becomes scale * |f| (one per channel), integers
//  of
//    channels with f < 0 change sign and with f = 0 become 0, and nothing is rounded again. A zero
//    scale that comes of f = 0 is replaced by 1: all its integers are 0.
// Biases are float initializers afterwards. Weights and biases that several nodes share, and a
// BatchNormalization after anything else, are left alone. Returns the number folded.
int64_t FoldBatchNorm(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_FOLD_BATCH_NORM_H_
