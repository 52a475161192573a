#ifndef QUANTRY_WORKER_ENGINE_PASSES_ANNOTATE_H_
#define QUANTRY_WORKER_ENGINE_PASSES_ANNOTATE_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/quant_config.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {

// Start of PACT's thresholds, where quant_config asks for PACT.
struct PactStart {
  std::optional<float> alpha;  // > 0; absent: the calibrated threshold
};

// One tensor that is to be quantized, once, for all the layers that read it.
struct PlannedTensor {
  Value* value = nullptr;
  std::vector<Use> uses;  // the input slots that get the quantized tensor; never empty
  FakeQuantizeSpec spec;
  std::optional<float> alpha_start;  // PACT with a given start value
  // Other planned tensors of the same value quantize what this one makes of it.
  bool first = false;
};

// What is to be quantized; points into the graph it was made for.
struct QuantPlan {
  // The layers that are quantized, in topological order. Empty, in a plan that was made otherwise:
  // those that read the tensors.
  std::vector<Node*> layers;
  std::vector<PlannedTensor> tensors;  // in topological order of the layers, input before weight
  // The share of the past with which the scale of each layer's output is followed
  // (passes/output_scales.h), in (0, 1). Absent: it is not.
  std::optional<double> output_moving_rate;
};

// Decides which tensors of `graph` are quantized and how; changes nothing. The layers are those of
// ChooseLayers (passes/layer_choices.h), their tensors those that their kind names
// (passes/layer_kinds.h). Two layers that read one tensor and want it quantized in the same way
// share the quantizer; in different ways, each has its own. INVALID_ARGUMENT if no layer is
// quantized, or an override decides for none.
absl::StatusOr<QuantPlan> Annotate(const Graph& graph, const QuantConfig& config,
                                   const PactStart& pact);

// Whether BatchNorm has to be folded into the convolutions before training: fuse_conv_bn asks for
// it, or weights have one scale per tensor, which folding afterwards would not keep.
bool FoldsBatchNormBeforeTraining(const QuantConfig& config);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_ANNOTATE_H_
