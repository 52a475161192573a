#ifndef QUANTRY_WORKER_ENGINE_EXPORT_QUANTIZE_BIAS_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_QUANTIZE_BIAS_H_

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Makes the float bias of every Conv and Gemm whose input comes from FakeQuantize and whose weight
// is an int8 initializer behind DequantizeLinear an int32 initializer behind DequantizeLinear, with
// scale = input scale * weight scale, in float32 as integer kernels compute it. A channel whose
// bias does not fit int32 at that scale, and a channel without any weight but 0, gets a larger
// weight scale (and its integers, which are then next to nothing, are rounded again), unless other
// layers share the weight: then the bias stays in float. So do biases of a Gemm with alpha or beta
// other than 1. A channel whose bias step is coarser than the quantizer of the layer's output can
// bear gets a smaller weight scale; weights that then exceed 127 are cut. Errors: those of
// CheckedQParams for a quantizer at such a layer's input or output.
absl::Status QuantizeBiases(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_QUANTIZE_BIAS_H_
