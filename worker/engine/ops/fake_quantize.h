#ifndef QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_
#define QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/graph/node.h"
#include "worker/engine/graph/types.h"
#include "worker/engine/ops/fake_quantize_spec.h"  // IWYU pragma: export
#include "worker/engine/ops/operator.h"
#include "worker/engine/quant/qparams.h"
#include "worker/engine/quant/rounding.h"

namespace quantry::engine {

// The operator "quantry.FakeQuantize". Its output is its input, quantized and dequantized; its
// state is initializers of the graph:
//   0 x            the tensor: an activation or a weight, float32
//   1 scale        buffer: the threshold s (scalar, or [C] along `axis`, or, asymmetric, the reach
//                  below and above 0); with a learned quantizer a parameter: the step size
//   2 accum        buffer: quantizers that keep sums, else left out; the shape of scale
//   3 state        buffer: quantizers that keep sums, else left out; the shape of scale
//   4 alpha        parameter: PACT only, else left out; scalar or [C]
//   5 initialized  buffer: scalar, 0 until something was seen, then 1
//   6 window       buffer: quantizers that keep a window, else left out; [window_size, then the
//                  shape of scale]
//   7 count        buffer: as window; int64 scalar
//   8 offset       parameter: LSQ+ only, else left out; the lower end of the range, a scalar
//   9 zero_point   buffer: lsq_act with symmetric = 0, else left out; a whole number, a scalar
// kEvaluate quantizes with the kept s; kCalibrate looks and hands x through; kTrain looks, then
// quantizes. With frozen statistics kTrain does not look. A learned step and DoReFa's magnitude are
// looked for only in kCalibrate and where there is none yet. The s of an abs_max weight always
// follows the weight. Evaluating an activation that was never observed is an error. An empty x is
// handed through and not looked at.
inline constexpr absl::string_view kFakeQuantizeOp = "quantry.FakeQuantize";

enum FakeQuantizeInput : size_t {
  kFakeQuantizeX = 0,
  kFakeQuantizeScale = 1,
  kFakeQuantizeAccum = 2,
  kFakeQuantizeState = 3,
  kFakeQuantizeAlpha = 4,
  kFakeQuantizeInitialized = 5,
  kFakeQuantizeWindow = 6,
  kFakeQuantizeCount = 7,
  kFakeQuantizeOffset = 8,
  kFakeQuantizeZeroPoint = 9,
};

// What evaluation and export quantize with: the node's state, narrowed by alpha with PACT. A
// FakeQuantize node of a graph whose weight, if it is one, is an initializer. (A dynamic
// activation: what stands in for it at export.)
QParams EvaluationQParams(const Node& node);

// Whether a node is a quantizer of activations that fused operators can do: it takes the tensor as
// a whole, hands gradients on where that is in range, and sees no more of it than the least and the
// greatest value once it has a start.
bool NeedsOnlyRange(const FakeQuantizeSpec& spec);
// Whether such a node can go on: it has its start, or the range is enough to find it.
bool StartsByRange(const Node& node);

// How the parameters of a quantizer learn. With v the tensor, g the gradient that reaches what the
// node gives, and the sums over all elements of
//   below: g where v < low;  above: g where v > high;  rounding: g * (round(v / step) - v / step)
//   elsewhere,
// the gradients are these factors times the sums.
struct GridLearning {
  at::Tensor parameter;  // PACT's alpha, or a learned step; undefined: nothing learns
  at::Tensor offset;     // LSQ+, else undefined
  double low = 0;
  double high = 0;
  double by_below = 0;  // of the parameter
  double by_above = 0;
  double by_rounding = 0;
  double offset_by_clipped = 0;  // times below + above
};

// What a node of NeedsOnlyRange quantizes a tensor of `sizes` with in this run, its state brought
// up to date on the way as evaluating it does. `inputs` are the node's; `range`, float32 {least,
// greatest} of the tensor, is asked for only if the node looks.
struct ActivationGrid {
  QParams qparams;
  GridLearning learning;
};
ActivationGrid GridByRange(const Node& node, absl::Span<const at::Tensor> inputs,
                           at::IntArrayRef sizes, absl::FunctionRef<at::Tensor()> range,
                           const EvaluateContext& context);

// The same for a weight whose quantizer's threshold is that of its largest magnitudes, which
// `magnitudes` gives per channel.
QParams WeightGridByMagnitudes(const Node& node, absl::Span<const at::Tensor> inputs,
                               absl::FunctionRef<at::Tensor()> magnitudes,
                               const EvaluateContext& context);

// Whether a calibrator can set the node's start: its quantizer has a threshold that is free.
bool TakesThreshold(const FakeQuantizeSpec& spec);

// Makes the node go on from `threshold` (float32: a scalar, [C] along its axis, or, asymmetric,
// {below, above}), as if that was what it had seen; PACT's alpha, too, where it starts from
// calibration. Needs TakesThreshold.
void StartFrom(const Node& node, const at::Tensor& threshold);

// Whether evaluating the node needs something that only looking at data gives.
bool NeedsObservation(const FakeQuantizeSpec& spec);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_
