#ifndef QUANTRY_WORKER_ENGINE_EXPORT_LOWER_WEIGHT_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_LOWER_WEIGHT_H_

#include "absl/status/status.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Replaces the FakeQuantize node of a weight by DequantizeLinear of its integers (per channel where
// it was trained so) without a zero point. They are int8, or int16 for more than 8 bits.
//
// Integers of fewer bits b are stored times 2^(8-b) (2^(16-b)), with a step as much smaller. That
// is the same weight, and the step of the layer's int32 bias, input step times weight step, is then
// as fine as with all bits. Not so with weight_dtype "int4" and b <= 4: those stay as they are, to
// be packed. FAILED_PRECONDITION as CheckedQParams.
absl::Status LowerWeight(Graph& graph, Node* fake_quantize, const QdqOptions& options);

// Gives every DequantizeLinear of int8 and int16 initializers a zero point, which runtimes look for
// though 0 is the default; with weight_dtype "uint8" int8 becomes uint8 with zero point 128.
void AddWeightZeroPoints(Graph& graph, const QdqOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_LOWER_WEIGHT_H_
