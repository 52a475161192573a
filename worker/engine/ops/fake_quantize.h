#ifndef QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_
#define QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "worker/engine/graph/node.h"
#include "worker/engine/graph/types.h"
#include "worker/engine/quant/qparams.h"

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
//   6 window       buffer: quantizers that keep a window, else left out; [window_size, scale's
//   shape] 7 count        buffer: as window; int64 scalar
// kEvaluate quantizes with the kept s; kCalibrate looks and hands x through; kTrain looks, then
// quantizes. With frozen statistics kTrain does not look. A learned step is looked for only in
// kCalibrate and where there is none yet. The s of an abs_max weight always follows the weight.
// Evaluating an activation that was never observed is an error.
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
};

// The attributes of a FakeQuantize node.
struct FakeQuantizeSpec {
  std::string quantizer = "abs_max";  // a name of QuantizerTable()
  int bits = 8;                       // 2..8
  int64_t axis = -1;                  // -1: one scale; else one per index of this axis
  bool is_weight = false;
  bool symmetric = true;                // false: unsigned integers with a zero point
  float moving_rate = 0.9f;             // moving averages only
  int64_t window_size = 10000;          // range_abs_max only
  bool pact = false;                    // input 4 is there
  bool alpha_from_calibration = false;  // PACT: alpha starts at the calibrated s

  friend bool operator==(const FakeQuantizeSpec&, const FakeQuantizeSpec&) = default;
};

AttributeMap ToAttributes(const FakeQuantizeSpec& spec);
FakeQuantizeSpec SpecOf(const Node& node);

// What evaluation and export quantize with: the node's state, narrowed by alpha with PACT. A
// FakeQuantize node of a graph whose weight, if it is one, is an initializer.
QParams EvaluationQParams(const Node& node);

// Whether evaluating the node needs something that only looking at data gives.
bool NeedsObservation(const FakeQuantizeSpec& spec);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_
