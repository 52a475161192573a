#ifndef QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_

#include "absl/status/statusor.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The graph that a runtime serves, made of plain ONNX operators, from a trained graph with
// FakeQuantize nodes, which stays as it is: DeployedModel (deployed_model.h), with activations that
// go through QuantizeLinear and DequantizeLinear (lower_activation.h). Input and output names stay.
// The result computes what DeployedModel computes in kEvaluate, up to float rounding, and but for
// 8-bit activations below -s where these are trained down to -127 steps and QuantizeLinear goes to
// -128: in profile "paddle", and with PACT in "tensorrt". Errors: those of DeployedModel;
// INVALID_ARGUMENT names a tensor that the profile's runtime can't run.
absl::StatusOr<Graph> ToQdq(const Graph& trained, const QdqOptions& options = {});

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_TO_QDQ_H_
