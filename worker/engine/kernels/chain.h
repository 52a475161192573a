#ifndef QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "worker/engine/kernels/elements.h"

namespace quantry::engine {

// The elementwise part of a layer as one pass over memory. A row holds the channels of one pixel,
// as channels_last has it; channel c of a value x becomes
// - t = scale[c] * (x - mean[c]) + shift[c]: batch normalization, or with 1, 0 and 0 x itself;
// - u = inner grid of t, where `has_inner`;
// - v = u + operand_step * r, where a second operand is given;
// - w = activation(v);
// - y = outer grid of w, where `has_outer`; its integers alone, where `gives_integers`.
//
// Arrays are float32 or bf16, and computed with in float32 either way.
//
// All kernels compute these numbers in the same way, so that what the backward pass computes again
// is what the forward pass saw. They are single-threaded, work on rows [0, rows) of what they are
// given, and pick the widest vector instructions of the machine at run time (Highway); results can
// differ in the last bit between machines, not between runs. Thread-safe. Arrays don't overlap
// unless said.

// Values on multiples of `step` between `low` and `high`; halves go to the even multiple, as in
// ONNX's QuantizeLinear. NaN in x or in the grid gives NaN.
struct ChainGrid {
  float low = 0;
  float high = 0;
  float step = 1;
};

enum class ChainActivation {
  kClamp,        // to [low, high]: ReLU, ReLU6, Clip, or nothing
  kHardSwish,    // v * clamp(v / 6 + 1 / 2, 0, 1)   (Howard et al., 2019)
  kHardSigmoid,  // clamp(slope * v + offset, 0, 1)
  kSigmoid,      // 1 / (1 + e^-v)
  kSilu,         // v * sigmoid(v)
  kGelu,         // v * Phi(v), of the normal distribution   (Hendrycks & Gimpel, 2016)
  kGeluTanh,     // their approximation: v * sigmoid(sqrt(8 / pi) * (v + 0.044715 v^3))
  kLeakyRelu,    // v, times slope where it is negative
};

struct ElementwiseChain {
  int64_t channels = 1;
  // Per channel, as Periodic() lays them out. The distance from the mean comes first: it is exact
  // where a channel hardly varies and the scale is huge.
  const float* mean = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
  bool has_inner = false;
  bool has_outer = false;
  bool gives_integers = false;  // with has_outer only: y counts in steps of the outer grid
  float operand_step = 1;       // r counts in steps of this
  ChainActivation activation = ChainActivation::kClamp;
  ChainGrid inner;
  ChainGrid outer;
  float slope = 0;  // of kHardSigmoid and kLeakyRelu
  float offset = 0;
  float low = -std::numeric_limits<float>::infinity();  // of kClamp
  float high = std::numeric_limits<float>::infinity();
  // Where the clamp hands gradients on: for v in [gradient_low, gradient_high].
  float gradient_low = -std::numeric_limits<float>::infinity();
  float gradient_high = std::numeric_limits<float>::infinity();
};

// Rows that together fill whole vectors: the least common multiple of `channels` and kMostLanes,
// over `channels`. The kernels want per-channel numbers repeated that often, as Periodic does.
int64_t RowsPerPeriod(int64_t channels);
std::vector<float> Periodic(const std::vector<float>& per_channel);

// Sums over rows of one channel each; the arrays have RowsPerPeriod * channels elements, the sums
// of channel c are those of all elements that are c modulo `channels`. Accumulated into.
struct ChannelMoments {
  float* sum;           // of x - origin
  float* square;        // of (x - origin)^2
  float* least;         // starts at +infinity
  float* most;          // starts at -infinity
  const float* origin;  // anything near x, against cancellation; periodic
};
void AccumulateMoments(const float* x, int64_t rows, int64_t channels,
                       const ChannelMoments& moments);

// y of x and, where not null, r.
void ChainForward(ConstElements x, ConstElements r, Elements y, int64_t rows,
                  const ElementwiseChain& chain);

// The least and the greatest w: what an observer of the outer grid sees. NaN anywhere gives NaN.
struct ChainRange {
  float least;
  float most;
};
ChainRange ChainRangeOf(ConstElements x, ConstElements r, int64_t rows,
                        const ElementwiseChain& chain);

// With g the gradient that reaches t: adds the sums over rows of g and of g * (x - mean) per
// channel, and writes the gradient of the operand (that of v) where `dr` is not null. `dy` is the
// gradient of y itself, also where that is given as integers. The arrays are as those of
// ChannelMoments.
struct ChainSums {
  float* gradient;
  float* moment;
};
void ChainBackwardSums(ConstElements x, ConstElements r, ConstElements dy, Elements dr,
                       int64_t rows, const ElementwiseChain& chain, const ChainSums& sums);

// dx = scale[c] * (g - offset[c] - slope[c] * (x - mean[c])): what batch normalization with the
// batch's own statistics gives, once the sums are known; with slope null: scale[c] * g. Periodic.
struct ChainInputGradient {
  const float* scale = nullptr;  // never null
  const float* offset = nullptr;
  const float* slope = nullptr;
};
void ChainBackwardInput(ConstElements x, ConstElements r, ConstElements dy, Elements dx,
                        int64_t rows, const ElementwiseChain& chain,
                        const ChainInputGradient& input);

// What the parameters of a quantizer learn from. With v what one of the chain's grids is given and
// g the gradient that reaches what it gives, the sums over all elements of
struct ChainGridSums {
  double below = 0;     // g where v < low
  double above = 0;     // g where v > high
  double rounding = 0;  // g * (round(v / step) - v / step) elsewhere
};
enum class ChainGridPlace { kInner, kOuter };
struct ChainGridProbe {
  ChainGridPlace place = ChainGridPlace::kOuter;
  float low = 0;  // not always the grid's own bounds
  float high = 0;
};
ChainGridSums ChainGridSumsOf(ConstElements x, ConstElements r, ConstElements dy, int64_t rows,
                              const ElementwiseChain& chain, const ChainGridProbe& probe);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_H_
