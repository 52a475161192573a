#ifndef QUANTRY_WORKER_ENGINE_EXPORT_LOWER_ACTIVATION_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_LOWER_ACTIVATION_H_

#include "absl/status/status.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Replaces the FakeQuantize node of an activation by QuantizeLinear and DequantizeLinear, with a
// Clip to the trained range in front where the stored type reaches farther: for fewer bits than it
// has, and where nothing but 0 was seen. That int8 has -128, where PACT trains down to -127 only,
// asks for one too; but not for "paddle", whose runtime keeps to -127 itself, and not for
// "tensorrt", where it would part the layer from its quantizer.
//
// For "onnxruntime" the pair moves up to where the tensor is made, so that the layer there, its
// quantized inputs and this quantizer form one integer kernel; nothing of this changes what is
// computed (passes/clamp.h):
//  - Relu and Clip whose bounds QuantizeLinear saturates at anyway go;
//  - where another Clip, MaxPool or reshaping lies between, there is a pair before and one behind.
//
// FAILED_PRECONDITION as CheckedQParams; INVALID_ARGUMENT for what "tensorrt" can't run: other than
// 8 bits, and zero points.
absl::Status LowerActivation(Graph& graph, Node* fake_quantize, const QdqOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_LOWER_ACTIVATION_H_
