#ifndef QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_ROWS_CUH_
#define QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_ROWS_CUH_

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <string>

#include "absl/status/status.h"
#include "worker/engine/kernels/cuda/device_chain.h"

namespace quantry::engine {

// How kernels walk rows of channels. A thread has one column of a block of rows; neighbours in a
// warp have neighbouring columns, so that they read neighbouring memory, and what belongs to a
// channel is read once. Memory without channels is cut into rows of kPlainColumns.
inline constexpr int kLanes = 32;         // columns of a block
inline constexpr int kRowsAtOnce = 8;     // threads that share a column
inline constexpr int64_t kBlockRows = 256;  // rows of a block
inline constexpr int64_t kPlainColumns = 1024;

struct Walk {
  int64_t count = 0;    // elements
  int64_t columns = 0;  // of memory
  bool per_channel = false;

  __host__ static Walk Of(const DeviceRows& shape) {
    const int64_t count = shape.rows * shape.channels;
    if (shape.channels > 1) return {count, shape.channels, true};
    return {count, kPlainColumns, false};
  }

  __host__ __device__ int64_t rows() const { return (count + columns - 1) / columns; }
  __host__ int64_t row_blocks() const { return (rows() + kBlockRows - 1) / kBlockRows; }
  __host__ dim3 grid() const {
    return dim3(static_cast<unsigned>((columns + kLanes - 1) / kLanes),
                static_cast<unsigned>(row_blocks()));
  }
  __host__ static dim3 block() { return dim3(kLanes, kRowsAtOnce); }

  __device__ int64_t column() const {
    return static_cast<int64_t>(blockIdx.x) * kLanes + threadIdx.x;
  }
  // Calls f(i) for this thread's elements.
  template <typename F>
  __device__ void ForEach(const F& f) const {
    if (column() >= columns) return;
    const int64_t first = static_cast<int64_t>(blockIdx.y) * kBlockRows;
    const int64_t end = min(first + kBlockRows, rows());
    for (int64_t row = first + threadIdx.y; row < end; row += kRowsAtOnce) {
      const int64_t i = row * columns + column();
      if (i < count) f(i);
    }
  }
};

__device__ inline float LoadElement(ConstElements from, int64_t i) {
  if (from.type == ElementType::kFloat32) return static_cast<const float*>(from.data)[i];
  return __bfloat162float(static_cast<const __nv_bfloat16*>(from.data)[i]);
}

__device__ inline void StoreElement(float value, Elements to, int64_t i) {
  if (to.type == ElementType::kFloat32) {
    static_cast<float*>(to.data)[i] = value;
  } else {
    static_cast<__nv_bfloat16*>(to.data)[i] = __float2bfloat16_rn(value);
  }
}

__device__ inline ChainGrid LoadGrid(const DeviceGrid& grid) {
  ChainGrid loaded;
  if (grid.step == nullptr) return loaded;
  loaded.low = *grid.low;
  loaded.high = *grid.high;
  loaded.step = *grid.step;
  return loaded;
}

__device__ inline ChannelNumbers LoadChannel(const DeviceChain& chain, const Walk& walk) {
  ChannelNumbers numbers;
  if (chain.scale == nullptr || walk.column() >= walk.columns) return numbers;
  const int64_t c = walk.per_channel ? walk.column() : 0;
  numbers.mean = chain.mean[c];
  numbers.scale = chain.scale[c];
  numbers.shift = chain.shift[c];
  return numbers;
}

// Puts together what the threads of a column have, in order, by `join`; the first thread of each
// column gets the whole.
template <typename T, typename Join>
__device__ T JoinColumn(T value, const Join& join) {
  __shared__ T shared[kRowsAtOnce][kLanes];
  __syncthreads();
  shared[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  if (threadIdx.y == 0) {
    for (int row = 1; row < kRowsAtOnce; ++row) value = join(value, shared[row][threadIdx.x]);
  }
  return value;
}

__device__ inline float Sum(float a, float b) { return a + b; }
// NaN wins.
__device__ inline float Least(float a, float b) { return a <= b || a != a ? a : b; }
__device__ inline float Most(float a, float b) { return a >= b || a != a ? a : b; }

// Whether the last launch went well.
inline absl::Status LaunchStatus(const char* what) {
  const cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::InternalError(std::string(what) + " on the CUDA device: " + cudaGetErrorString(error));
}

inline cudaStream_t StreamOf(DeviceStream stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CUDA_DEVICE_ROWS_CUH_
