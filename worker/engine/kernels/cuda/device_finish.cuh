#ifndef QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_FINISH_CUH_
#define QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_FINISH_CUH_

#include "worker/engine/kernels/cuda/device_rows.cuh"

namespace quantry::engine {

// The second stage of sums and extremes: the first leaves one float for each block of rows and
// column in the workspace.

inline constexpr int kFinishThreads = 128;

// Where the partial results of one quantity are. With channels, those of channel c are column c;
// without, all columns are one.
struct Partials {
  const float* values = nullptr;
  int64_t row_blocks = 0;
  int64_t columns = 0;
  bool per_channel = false;

  __host__ static Partials Of(const Walk& walk, const float* values) {
    return {values, walk.row_blocks(), walk.columns, walk.per_channel};
  }
  __device__ int64_t count() const { return per_channel ? row_blocks : row_blocks * columns; }
  __device__ float At(int64_t channel, int64_t k) const {
    return per_channel ? values[k * columns + channel] : values[k];
  }
};

// Joins all partials of a channel, this block's, in a fixed order: each thread takes every
// kFinishThreads-th, then pairs are joined. Thread 0 gets the whole.
template <typename T, typename Join>
__device__ T JoinPartials(const Partials& partials, int64_t channel, T start, const Join& join) {
  __shared__ T shared[kFinishThreads];
  T value = start;
  for (int64_t k = threadIdx.x; k < partials.count(); k += kFinishThreads) {
    value = join(value, static_cast<T>(partials.At(channel, k)));
  }
  __syncthreads();
  shared[threadIdx.x] = value;
  __syncthreads();
  for (int distance = kFinishThreads / 2; distance > 0; distance /= 2) {
    if (threadIdx.x < distance) {
      shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + distance]);
    }
    __syncthreads();
  }
  return shared[0];
}

__device__ inline double SumPartials(const Partials& partials, int64_t channel) {
  return JoinPartials(partials, channel, 0.0, [](double a, double b) { return a + b; });
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_FINISH_CUH_
