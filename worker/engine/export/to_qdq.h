#ifndef QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_

#include "absl/status/statusor.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The graph that a runtime serves, made of plain ONNX operators, from a trained graph with
// FakeQuantize nodes, which stays as it is:
//  - weights become integer initializers behind DequantizeLinear (lower_weight.h);
//  - BatchNormalization is folded into them exactly (passes/fold_batch_norm.h);
//  - activations go through QuantizeLinear and DequantizeLinear (lower_activation.h);
//  - for the profiles "onnxruntime" and "paddle", biases of layers with both become int32 with
//    scale = input scale * weight scale (quantize_bias.h); but not beside weights in "int4", whose
//    scale is too coarse for them. TensorRT and OpenVINO read float biases and quantize them
//    themselves;
//  - Dropout goes.
// Input and output names stay. The result computes what the fake-quantized graph computes in
// kEvaluate, up to float rounding, and but for 8-bit activations below -s where these are trained
// down to -127 steps and QuantizeLinear goes to -128: in profile "paddle", and with PACT in
// "tensorrt". FAILED_PRECONDITION names a tensor that was never calibrated or whose threshold is
// not finite, INVALID_ARGUMENT one that the profile's runtime can't run.
absl::StatusOr<Graph> ToQdq(const Graph& trained, const QdqOptions& options = {});

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_
