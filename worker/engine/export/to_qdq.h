#ifndef QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_

#include "absl/status/statusor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The graph that a runtime serves, made of plain ONNX operators, from a trained graph with
// FakeQuantize nodes, which stays as it is:
//  - weights become int8 initializers behind DequantizeLinear (per channel where they were trained
//    so): the trained integers in [-q, q], times 2^(8-bits) so that biases keep 8-bit precision;
//  - BatchNormalization is folded into them exactly (passes/fold_batch_norm.h);
//  - activations go through QuantizeLinear and DequantizeLinear (int8 and zero point 0, or, trained
//    asymmetric, uint8); for fewer than 8 bits, and where s is 0, with a Clip to the trained range
//    in front, so that the integers stay in theirs;
//  - biases of layers with both become int32 with scale = input scale * weight scale. Where a bias
//    would not fit (a channel whose weights are all but zero) the channel's weight scale is raised
//    until it does;
//  - Dropout goes.
// Input and output names stay. The result computes what the fake-quantized graph computes in
// kEvaluate, up to float rounding, and but for 8-bit activations below -s: training clamps them to
// -127 steps, QuantizeLinear to -128. FAILED_PRECONDITION names a tensor that was never calibrated
// or whose threshold is not finite.
absl::StatusOr<Graph> ToQdq(const Graph& trained);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_
