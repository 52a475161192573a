#ifndef QUANTRY_WORKER_ENGINE_OPS_OBSERVE_OUTPUT_H_
#define QUANTRY_WORKER_ENGINE_OPS_OBSERVE_OUTPUT_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace quantry::engine {

// The operator "quantry.ObserveOutput" follows the scale of a layer's output (PaddleSlim's
// MovingAverageAbsMaxScale). Its output is its input. With r the attribute moving_rate, kTrain
// (unless observers are frozen) and kCalibrate do
//   state = r * state + 1;  accum = r * accum + max|x|;  scale = accum / state
// from an all-zero start. Inputs:
//   0 x      the tensor, float32; an empty one is not looked at
//   1 scale  buffer, scalar
//   2 accum  buffer, scalar
//   3 state  buffer, scalar
inline constexpr absl::string_view kObserveOutputOp = "quantry.ObserveOutput";

enum ObserveOutputInput : size_t {
  kObserveOutputX = 0,
  kObserveOutputScale = 1,
  kObserveOutputAccum = 2,
  kObserveOutputState = 3,
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_OBSERVE_OUTPUT_H_
