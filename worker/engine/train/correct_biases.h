#ifndef QUANTRY_WORKER_ENGINE_TRAIN_CORRECT_BIASES_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_CORRECT_BIASES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/train/calibrate.h"

namespace quantry::engine {

// Bias correction (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
// Correction", section 4.2): rounding a weight W to W~ moves the mean of the layer's output by
//   E[y~] - E[y] = (W~ - W) E[x],
// which is taken off the bias, channel by channel. The mean is that of float x over the first
// `batches` batches of epoch 0 of `loader`, padding included, where the paper uses the statistics
// of a BatchNorm. `graph` must have calibrated FakeQuantize nodes; Conv, ConvTranspose and Gemm
// layers are corrected, those without a bias get one. A bias that several nodes share is split.
// Returns the number of layers corrected. `observer` as for Calibrate.
absl::StatusOr<int64_t> CorrectBiases(Graph& graph, Loader& loader, int64_t batches,
                                      const CalibrationObserver& observer = nullptr);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_CORRECT_BIASES_H_
