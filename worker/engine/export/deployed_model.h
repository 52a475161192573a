#ifndef QUANTRY_WORKER_ENGINE_EXPORT_DEPLOYED_MODEL_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_DEPLOYED_MODEL_H_

#include "absl/status/statusor.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// A trained graph with FakeQuantize nodes, which stays as it is, as the function that a runtime
// will compute, still with FakeQuantize nodes for the activations:
//  - weights are integer initializers behind DequantizeLinear (lower_weight.h);
//  - BatchNormalization is folded into them exactly (passes/fold_batch_norm.h);
//  - for the profiles "onnxruntime" and "paddle", biases of layers with quantized input and weight
//    are int32 with scale = input scale * weight scale (quantize_bias.h); but not beside weights in
//    "int4", whose scale is too coarse for them. TensorRT and OpenVINO read float biases and
//    quantize them themselves;
//  - Dropout and Bernoulli take their means.
// What is evaluated with quantization is this graph: with few bits the rounding of biases alone
// moves values to a neighbouring integer, and the figures are to be those of the file.
// FAILED_PRECONDITION names a tensor that was never calibrated or whose threshold is not finite.
absl::StatusOr<Graph> DeployedModel(const Graph& trained, const QdqOptions& options = {});

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_DEPLOYED_MODEL_H_
