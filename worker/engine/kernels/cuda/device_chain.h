#ifndef QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_CHAIN_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_CHAIN_H_

#include <cstdint>

#include "absl/status/status.h"
#include "worker/engine/kernels/chain.h"
#include "worker/engine/kernels/cuda/chain_formula.h"
#include "worker/engine/kernels/elements.h"

namespace quantry::engine {

// The kernels of kernels/chain.h on a CUDA device. All pointers are to memory of the device;
// nothing is read back and nothing waits, so that a training step can be captured as a CUDA graph.
// Sums are cut and added up in a fixed order: the same numbers in every run, and on every device.
// Thread-safe for different streams. Errors: INTERNAL with CUDA's message when a launch fails.

// A cudaStream_t; null: the default stream.
using DeviceStream = void*;

// A grid whose numbers were computed on the device: pointers to one float each, null: no grid.
struct DeviceGrid {
  const float* low = nullptr;
  const float* high = nullptr;
  const float* step = nullptr;
};

// Rows of channels in memory. Without an affine part there are no channels: `channels` is 1.
struct DeviceRows {
  int64_t rows = 0;
  int64_t channels = 1;
};

struct DeviceChain {
  ChainForm form;
  // One float per channel; null: 0, 1 and 0.
  const float* mean = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
  DeviceGrid inner;
  DeviceGrid outer;
};

// Floats of working memory that a call of one of the functions below may need; theirs while it
// runs.
int64_t DeviceWorkspaceFloats(const DeviceRows& shape);

// Of each channel of x: mean and biased variance, float64; the least and the greatest, float32.
struct DeviceStatistics {
  double* mean;
  double* variance;
  float* least;
  float* most;
};
absl::Status DeviceStatisticsOf(ConstElements x, const DeviceRows& shape,
                                const DeviceStatistics& statistics, float* workspace,
                                DeviceStream stream);

// y of x and, where form.has_operand, r.
absl::Status DeviceForward(ConstElements x, ConstElements r, Elements y, const DeviceRows& shape,
                           const DeviceChain& chain, DeviceStream stream);

// {least, greatest} of w, two floats. NaN anywhere gives NaN.
absl::Status DeviceRangeOf(ConstElements x, ConstElements r, const DeviceRows& shape,
                           const DeviceChain& chain, float* range, float* workspace,
                           DeviceStream stream);

// ChainBackwardSums, one float64 per channel; `dr` may be null.
struct DeviceSums {
  double* gradient;
  double* moment;
};
absl::Status DeviceBackwardSums(ConstElements x, ConstElements r, ConstElements dy, Elements dr,
                                const DeviceRows& shape, const DeviceChain& chain,
                                const DeviceSums& sums, float* workspace, DeviceStream stream);

// ChainBackwardInput; one float per channel in each array, offset and slope both or neither.
absl::Status DeviceBackwardInput(ConstElements x, ConstElements r, ConstElements dy, Elements dx,
                                 const DeviceRows& shape, const DeviceChain& chain,
                                 const ChainInputGradient& input, DeviceStream stream);

// ChainGridSums as float64: below, above, rounding. `low` and `high`: one float each.
struct DeviceProbe {
  ChainGridPlace place = ChainGridPlace::kOuter;
  const float* low = nullptr;
  const float* high = nullptr;
};
absl::Status DeviceGridSums(ConstElements x, ConstElements r, ConstElements dy,
                            const DeviceRows& shape, const DeviceChain& chain,
                            const DeviceProbe& probe, double* sums, float* workspace,
                            DeviceStream stream);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_CHAIN_H_
