#ifndef QUANTRY_WORKER_ENGINE_QUANT_DENSE_RUNS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_DENSE_RUNS_H_

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

namespace quantry::engine {

// Whether the CPU kernels can walk `x` in memory order: float32, on the CPU, no gaps or overlaps
// (contiguous, channels_last and every other permutation).
inline bool IsDenseCpuFloat(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_non_overlapping_and_dense();
}

// How the channels of a dense tensor lie in memory: element m belongs to channel (m / run) % count.
// With axis -1 everything is channel 0.
struct ChannelLayout {
  int64_t numel = 0;
  int64_t run = 1;    // neighbouring elements of one channel
  int64_t count = 1;  // channels

  static ChannelLayout Of(const at::Tensor& dense, int64_t axis) {
    ChannelLayout layout{.numel = dense.numel(), .run = std::max<int64_t>(dense.numel(), 1)};
    if (axis >= 0 && dense.size(axis) != 1) {
      layout.run = dense.stride(axis);
      layout.count = dense.size(axis);
    }
    return layout;
  }
};

// Work of one task. Fixed, so that results that are sums don't depend on the number of threads.
inline constexpr int64_t kDenseChunk = 32768;

// Calls f(channel, begin, end) for pieces [begin, end) of one channel each that together are all of
// memory, in parallel; pieces never cross a multiple of kDenseChunk.
template <typename F>
void ForEachRun(const ChannelLayout& layout, const F& f) {
  const int64_t chunks = (layout.numel + kDenseChunk - 1) / kDenseChunk;
  at::parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
    const int64_t end = std::min(last * kDenseChunk, layout.numel);
    int64_t begin = first * kDenseChunk;
    while (begin < end) {
      const int64_t run_end = (begin / layout.run + 1) * layout.run;
      const int64_t chunk_end = (begin / kDenseChunk + 1) * kDenseChunk;
      const int64_t piece_end = std::min({run_end, chunk_end, end});
      f((begin / layout.run) % layout.count, begin, piece_end);
      begin = piece_end;
    }
  });
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_DENSE_RUNS_H_
