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

// The attributes of a FakeQuantize node.
struct FakeQuantizeSpec {
  std::string quantizer = "abs_max";  // a name of QuantizerTable()
  int bits = 8;                       // 2..16
  int64_t axis = -1;                  // -1: one scale; else one per index of this axis
  bool is_weight = false;
  // False: unsigned integers with a zero point. Activations only. LSQ+ is never symmetric, whatever
  // stands here.
  bool symmetric = true;
  float moving_rate = 0.9f;             // moving averages only
  int64_t window_size = 10000;          // range_abs_max only
  bool pact = false;                    // input 4 is there
  bool alpha_from_calibration = false;  // PACT: alpha starts at the calibrated s
  // How the start of a quantizer whose s is free is found from what calibration sees: a name of
  // CalibratorTable() (quant/calibrator.h), and the share of |x| that "percentile" keeps, in
  // percent.
  std::string calibrator = "abs_max";
  float calibrator_percentile = 99.99f;
  // Symmetric activations of 8 and 16 bits: integers in [-q - 1, q], all that int8 and int16 have,
  // as the runtimes saturate, instead of [-q, q]. Not with PACT, which clamps to [-alpha, alpha].
  bool fills_type = false;

  // The reference's ways; UseReference sets all of them.
  Rounding rounding = Rounding::kHalfToEven;
  InputGradient gradient = InputGradient::kMasked;  // learned steps and DoReFa have their own
  // Moving averages start at s = 0.001, state = 1, accum = 1; range_abs_max at s = 0.001.
  bool reference_start = false;
  // Activations with abs_max: kEvaluate, too, takes the s of the very tensor. Export can't, and
  // takes the largest s seen.
  bool dynamic = false;
  bool full_range = false;  // symmetric learned steps: integers in [-q - 1, q] instead of [-q, q]

  friend bool operator==(const FakeQuantizeSpec&, const FakeQuantizeSpec&) = default;
};

// Makes `spec` compute what the reference (PaddleSlim on Paddle's kernels) computes, to the letter:
// profile "paddle".
void UseReference(FakeQuantizeSpec& spec);

AttributeMap ToAttributes(const FakeQuantizeSpec& spec);
FakeQuantizeSpec SpecOf(const Node& node);

// What evaluation and export quantize with: the node's state, narrowed by alpha with PACT. A
// FakeQuantize node of a graph whose weight, if it is one, is an initializer. (A dynamic
// activation: what stands in for it at export.)
QParams EvaluationQParams(const Node& node);

// Whether a node is a quantizer of activations that sees nothing of its tensor but the least and
// the greatest value, learns nothing, and hands gradients on where the tensor is in range: what
// fused operators can do.
bool SeesOnlyRange(const FakeQuantizeSpec& spec);

// What such a node quantizes its tensor with in this run, its state brought up to date on the way
// as evaluating it does. `inputs` are the node's; `range`, float32 {least, greatest} of the tensor,
// is asked for only if the node looks.
QParams QParamsByRange(const Node& node, absl::Span<const at::Tensor> inputs,
                       absl::FunctionRef<at::Tensor()> range, const EvaluateContext& context);

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
