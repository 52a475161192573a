// Statistics, results and ranges of chains on a CUDA device.
#include "worker/engine/kernels/cuda/device_chain.h"

#include <cmath>

#include "worker/engine/kernels/cuda/device_finish.cuh"
#include "worker/engine/kernels/cuda/device_rows.cuh"

namespace quantry::engine {
namespace {

constexpr int kQuantities = 4;  // that a first stage leaves at most

// Floats for one quantity of a first stage.
int64_t FloatsOfStage(const Walk& walk) { return walk.row_blocks() * walk.columns; }

__global__ void MomentsKernel(ConstElements x, Walk walk, float* sum, float* square, float* least,
                              float* most) {
  // The first row is near the mean, as far as cancellation goes.
  const bool inside = walk.column() < walk.columns && walk.column() < walk.count;
  const float origin = inside ? LoadElement(x, walk.per_channel ? walk.column() : 0) : 0.0f;
  float s = 0, q = 0, low = INFINITY, high = -INFINITY;
  walk.ForEach([&](int64_t i) {
    const float value = LoadElement(x, i);
    const float distance = value - origin;
    s += distance;
    q = fmaf(distance, distance, q);
    low = Least(low, value);
    high = Most(high, value);
  });
  s = JoinColumn(s, Sum);
  q = JoinColumn(q, Sum);
  low = JoinColumn(low, Least);
  high = JoinColumn(high, Most);
  if (threadIdx.y != 0 || walk.column() >= walk.columns) return;
  const int64_t place = static_cast<int64_t>(blockIdx.y) * walk.columns + walk.column();
  sum[place] = s;
  square[place] = q;
  least[place] = low;
  most[place] = high;
}

__global__ void FinishMomentsKernel(ConstElements x, Walk walk, Partials sum, Partials square,
                                    Partials least, Partials most, DeviceStatistics statistics) {
  const int64_t c = blockIdx.x;
  const double s = SumPartials(sum, c);
  const double q = SumPartials(square, c);
  const float low = JoinPartials(least, c, INFINITY, Least);
  const float high = JoinPartials(most, c, -INFINITY, Most);
  if (threadIdx.x != 0) return;
  const double n = static_cast<double>(walk.per_channel ? walk.rows() : walk.count);
  const double distance = s / n;
  const double variance = q / n - distance * distance;
  statistics.mean[c] = static_cast<double>(LoadElement(x, walk.per_channel ? c : 0)) + distance;
  statistics.variance[c] = variance < 0 ? 0 : variance;  // NaN stays
  statistics.least[c] = low;
  statistics.most[c] = high;
}

__device__ float OperandAt(ConstElements r, const ChainForm& form, int64_t i) {
  return form.has_operand ? LoadElement(r, i) : 0.0f;
}

__global__ void ForwardKernel(ConstElements x, ConstElements r, Elements y, Walk walk,
                              DeviceChain chain) {
  const ChannelNumbers channel = LoadChannel(chain, walk);
  const ChainGrid inner = LoadGrid(chain.inner);
  const ChainGrid outer = LoadGrid(chain.outer);
  walk.ForEach([&](int64_t i) {
    const ChainElement element(chain.form, channel, inner, LoadElement(x, i),
                               OperandAt(r, chain.form, i));
    StoreElement(element.Result(chain.form, outer), y, i);
  });
}

__global__ void RangeKernel(ConstElements x, ConstElements r, Walk walk, DeviceChain chain,
                            float* least, float* most) {
  const ChannelNumbers channel = LoadChannel(chain, walk);
  const ChainGrid inner = LoadGrid(chain.inner);
  float low = INFINITY, high = -INFINITY;
  walk.ForEach([&](int64_t i) {
    const ChainElement element(chain.form, channel, inner, LoadElement(x, i),
                               OperandAt(r, chain.form, i));
    low = Least(low, element.w);
    high = Most(high, element.w);
  });
  low = JoinColumn(low, Least);
  high = JoinColumn(high, Most);
  if (threadIdx.y != 0 || walk.column() >= walk.columns) return;
  const int64_t place = static_cast<int64_t>(blockIdx.y) * walk.columns + walk.column();
  least[place] = low;
  most[place] = high;
}

__global__ void FinishRangeKernel(Partials least, Partials most, float* range) {
  const float low = JoinPartials(least, 0, INFINITY, Least);
  const float high = JoinPartials(most, 0, -INFINITY, Most);
  if (threadIdx.x != 0) return;
  const bool bad = low != low || high != high;
  range[0] = bad ? NAN : low;
  range[1] = bad ? NAN : high;
}

}  // namespace

int64_t DeviceWorkspaceFloats(const DeviceRows& shape) {
  return kQuantities * FloatsOfStage(Walk::Of(shape));
}

absl::Status DeviceStatisticsOf(ConstElements x, const DeviceRows& shape,
                                const DeviceStatistics& statistics, float* workspace,
                                DeviceStream stream) {
  const Walk walk = Walk::Of(shape);
  const int64_t size = FloatsOfStage(walk);
  float* const sum = workspace;
  float* const square = sum + size;
  float* const least = square + size;
  float* const most = least + size;
  MomentsKernel<<<walk.grid(), Walk::block(), 0, StreamOf(stream)>>>(x, walk, sum, square, least,
                                                                     most);
  FinishMomentsKernel<<<static_cast<unsigned>(shape.channels), kFinishThreads, 0,
                        StreamOf(stream)>>>(
      x, walk, Partials::Of(walk, sum), Partials::Of(walk, square), Partials::Of(walk, least),
      Partials::Of(walk, most), statistics);
  return LaunchStatus("statistics");
}

absl::Status DeviceForward(ConstElements x, ConstElements r, Elements y, const DeviceRows& shape,
                           const DeviceChain& chain, DeviceStream stream) {
  const Walk walk = Walk::Of(shape);
  ForwardKernel<<<walk.grid(), Walk::block(), 0, StreamOf(stream)>>>(x, r, y, walk, chain);
  return LaunchStatus("a chain's result");
}

absl::Status DeviceRangeOf(ConstElements x, ConstElements r, const DeviceRows& shape,
                           const DeviceChain& chain, float* range, float* workspace,
                           DeviceStream stream) {
  const Walk walk = Walk::Of(shape);
  float* const least = workspace;
  float* const most = least + FloatsOfStage(walk);
  RangeKernel<<<walk.grid(), Walk::block(), 0, StreamOf(stream)>>>(x, r, walk, chain, least, most);
  Partials lowest = Partials::Of(walk, least);
  Partials highest = Partials::Of(walk, most);
  lowest.per_channel = highest.per_channel = false;  // of all channels together
  FinishRangeKernel<<<1, kFinishThreads, 0, StreamOf(stream)>>>(lowest, highest, range);
  return LaunchStatus("a chain's range");
}

}  // namespace quantry::engine
