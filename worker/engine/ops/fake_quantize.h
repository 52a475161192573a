#ifndef QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_
#define QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "worker/engine/graph/node.h"
#include "worker/engine/graph/types.h"

namespace quantry::engine {

// The operator "quantry.FakeQuantize". Its output is its input, quantized and dequantized; its
// state is initializers of the graph:
//   0 x            the tensor: an activation or a weight, float32
//   1 scale        buffer: the threshold s (scalar, or [C] along `axis`)
//   2 accum        buffer: moving averages only, else left out
//   3 state        buffer: moving averages only, else left out
//   4 alpha        parameter: PACT only, else left out; the shape of scale
//   5 initialized  buffer: scalar, 0 until something was seen, then 1
// kEvaluate quantizes with the kept s; kCalibrate looks and hands x through; kTrain looks, then
// quantizes. With frozen statistics kTrain does not look. The s of an abs_max weight always follows
// the weight. Evaluating an activation that was never observed is an error.
inline constexpr absl::string_view kFakeQuantizeOp = "quantry.FakeQuantize";

enum FakeQuantizeInput : size_t {
  kFakeQuantizeX = 0,
  kFakeQuantizeScale = 1,
  kFakeQuantizeAccum = 2,
  kFakeQuantizeState = 3,
  kFakeQuantizeAlpha = 4,
  kFakeQuantizeInitialized = 5,
};

// The attributes of a FakeQuantize node.
struct FakeQuantizeSpec {
  std::string quantizer = "abs_max";  // a name of QuantizerTable()
  int bits = 8;                       // 2..8
  int64_t axis = -1;                  // -1: one scale; else one per index of this axis
  bool is_weight = false;
  float moving_rate = 0.9f;             // moving averages only
  bool pact = false;                    // input 4 is there
  bool alpha_from_calibration = false;  // PACT: alpha starts at the calibrated s
};

AttributeMap ToAttributes(const FakeQuantizeSpec& spec);
FakeQuantizeSpec SpecOf(const Node& node);

// The threshold s that evaluation and export use: that of the node's state, narrowed by alpha with
// PACT. A FakeQuantize node of a graph whose weight, if it is one, is an initializer.
at::Tensor EvaluationThreshold(const Node& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_H_
