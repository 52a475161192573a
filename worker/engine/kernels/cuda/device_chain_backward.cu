// Gradients of chains on a CUDA device.
#include "worker/engine/kernels/cuda/device_chain.h"
#include "worker/engine/kernels/cuda/device_finish.cuh"
#include "worker/engine/kernels/cuda/device_rows.cuh"

namespace quantry::engine {
namespace {

// What the elements of a thread's column have in common on the way back.
struct Column {
  __device__ Column(const DeviceChain& chain, const Walk& walk)
      : form(chain.form),
        channel(LoadChannel(chain, walk)),
        inner(LoadGrid(chain.inner)),
        outer(LoadGrid(chain.outer)) {}

  __device__ ChainElement Element(ConstElements x, ConstElements r, int64_t i) const {
    return ChainElement(form, channel, inner, LoadElement(x, i),
                        form.has_operand ? LoadElement(r, i) : 0.0f);
  }

  ChainForm form;
  ChannelNumbers channel;
  ChainGrid inner, outer;
};

__global__ void BackwardSumsKernel(ConstElements x, ConstElements r, ConstElements dy, Elements dr,
                                   Walk walk, DeviceChain chain, float* gradient, float* moment) {
  const Column column(chain, walk);
  float g = 0, m = 0;
  walk.ForEach([&](int64_t i) {
    const ChainElement element = column.Element(x, r, i);
    const float of_sum = element.BackToSum(column.form, column.outer, LoadElement(dy, i));
    if (dr.data != nullptr) StoreElement(of_sum, dr, i);
    const float of_affine = element.BackToAffine(column.form, column.inner, of_sum);
    g += of_affine;
    m = fmaf(of_affine, element.distance, m);
  });
  g = JoinColumn(g, Sum);
  m = JoinColumn(m, Sum);
  if (threadIdx.y != 0 || walk.column() >= walk.columns) return;
  const int64_t place = static_cast<int64_t>(blockIdx.y) * walk.columns + walk.column();
  gradient[place] = g;
  moment[place] = m;
}

__global__ void FinishSumsKernel(Partials gradient, Partials moment, DeviceSums sums) {
  const double g = SumPartials(gradient, blockIdx.x);
  const double m = SumPartials(moment, blockIdx.x);
  if (threadIdx.x != 0) return;
  sums.gradient[blockIdx.x] = g;
  sums.moment[blockIdx.x] = m;
}

__global__ void BackwardInputKernel(ConstElements x, ConstElements r, ConstElements dy, Elements dx,
                                    Walk walk, DeviceChain chain, ChainInputGradient input) {
  if (walk.column() >= walk.columns) return;
  const Column column(chain, walk);
  const int64_t c = walk.per_channel ? walk.column() : 0;
  const float scale = input.scale[c];
  const float offset = input.offset == nullptr ? 0.0f : input.offset[c];
  const float slope = input.slope == nullptr ? 0.0f : input.slope[c];
  walk.ForEach([&](int64_t i) {
    const ChainElement element = column.Element(x, r, i);
    const float of_sum = element.BackToSum(column.form, column.outer, LoadElement(dy, i));
    float gradient = element.BackToAffine(column.form, column.inner, of_sum);
    if (input.slope != nullptr) gradient = fmaf(-slope, element.distance, gradient - offset);
    StoreElement(scale * gradient, dx, i);
  });
}

__global__ void GridSumsKernel(ConstElements x, ConstElements r, ConstElements dy, Walk walk,
                               DeviceChain chain, DeviceProbe probe, float* below, float* above,
                               float* rounding) {
  const Column column(chain, walk);
  const bool of_inner = probe.place == ChainGridPlace::kInner;
  const float low = *probe.low;
  const float high = *probe.high;
  const float step = of_inner ? column.inner.step : column.outer.step;
  float b = 0, a = 0, rest = 0;
  walk.ForEach([&](int64_t i) {
    const ChainElement element = column.Element(x, r, i);
    const float given = LoadElement(dy, i);
    const float value = of_inner ? element.t : element.w;
    const float g = of_inner ? element.BackToSum(column.form, column.outer, given) : given;
    const float count = value / step;
    if (value < low) {
      b += g;
    } else if (value > high) {
      a += g;
    } else {
      rest += g * (rintf(count) - count);
    }
  });
  b = JoinColumn(b, Sum);
  a = JoinColumn(a, Sum);
  rest = JoinColumn(rest, Sum);
  if (threadIdx.y != 0 || walk.column() >= walk.columns) return;
  const int64_t place = static_cast<int64_t>(blockIdx.y) * walk.columns + walk.column();
  below[place] = b;
  above[place] = a;
  rounding[place] = rest;
}

// One block for each of the three quantities.
__global__ void FinishGridSumsKernel(Partials below, Partials above, Partials rounding,
                                     double* sums) {
  const Partials mine = blockIdx.x == 0 ? below : (blockIdx.x == 1 ? above : rounding);
  const double sum = SumPartials(mine, 0);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

int64_t FloatsOfStage(const Walk& walk) { return walk.row_blocks() * walk.columns; }

}  // namespace

absl::Status DeviceBackwardSums(ConstElements x, ConstElements r, ConstElements dy, Elements dr,
                                const DeviceRows& shape, const DeviceChain& chain,
                                const DeviceSums& sums, float* workspace, DeviceStream stream) {
  const Walk walk = Walk::Of(shape);
  float* const gradient = workspace;
  float* const moment = gradient + FloatsOfStage(walk);
  BackwardSumsKernel<<<walk.grid(), Walk::block(), 0, StreamOf(stream)>>>(x, r, dy, dr, walk, chain,
                                                                          gradient, moment);
  FinishSumsKernel<<<static_cast<unsigned>(shape.channels), kFinishThreads, 0, StreamOf(stream)>>>(
      Partials::Of(walk, gradient), Partials::Of(walk, moment), sums);
  return LaunchStatus("a chain's sums of gradients");
}

absl::Status DeviceBackwardInput(ConstElements x, ConstElements r, ConstElements dy, Elements dx,
                                 const DeviceRows& shape, const DeviceChain& chain,
                                 const ChainInputGradient& input, DeviceStream stream) {
  const Walk walk = Walk::Of(shape);
  BackwardInputKernel<<<walk.grid(), Walk::block(), 0, StreamOf(stream)>>>(x, r, dy, dx, walk,
                                                                           chain, input);
  return LaunchStatus("a chain's gradient");
}

absl::Status DeviceGridSums(ConstElements x, ConstElements r, ConstElements dy,
                            const DeviceRows& shape, const DeviceChain& chain,
                            const DeviceProbe& probe, double* sums, float* workspace,
                            DeviceStream stream) {
  const Walk walk = Walk::Of(shape);
  float* const below = workspace;
  float* const above = below + FloatsOfStage(walk);
  float* const rounding = above + FloatsOfStage(walk);
  GridSumsKernel<<<walk.grid(), Walk::block(), 0, StreamOf(stream)>>>(x, r, dy, walk, chain, probe,
                                                                      below, above, rounding);
  const auto all_channels = [&walk](const float* values) {
    Partials partials = Partials::Of(walk, values);
    partials.per_channel = false;
    return partials;
  };
  FinishGridSumsKernel<<<3, kFinishThreads, 0, StreamOf(stream)>>>(
      all_channels(below), all_channels(above), all_channels(rounding), sums);
  return LaunchStatus("what a chain's quantizers learn");
}

}  // namespace quantry::engine
