#ifndef QUANTRY_WORKER_ENGINE_PASSES_QUANTIZE_OUTPUTS_H_
#define QUANTRY_WORKER_ENGINE_PASSES_QUANTIZE_OUTPUTS_H_

#include "common/quant_config.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/passes/annotate.h"

namespace quantry::engine {

// Extends a plan of `graph` by what the runtime of config.profile needs beyond the inputs and
// weights of layers to compute them on integers. It is part of the plan, not of export, so that
// training sees what the runtime computes. docs/quant_config.md, "What each profile quantizes", has
// it for users.
//
// "onnxruntime", whose integer convolution needs a quantizer at its output:
//  - the output of every quantized Conv, behind BatchNormalization, clamps and what only moves
//    elements, unless all that reads it is quantized anyhow, it is an output of the graph, or a
//    layer that stays in float reads it;
//  - every input of an Add one of whose inputs is quantized.
// These have 8 bits and else the settings of the layer's input. Where a layer wants the same tensor
// with fewer bits, it quantizes the 8-bit tensor. Layers of more than 8 bits have no integer
// kernels and are left as they are.
//
// "onnxruntime" and "openvino", with activation_symmetric and no activation_dtype: a tensor that
// can't be negative (NonNegativeValues) is quantized to unsigned integers with zero point 0, which
// halves its step, unless its step is learned.
//
// Other profiles: nothing. Running it twice changes nothing.
void FitToProfile(const Graph& graph, const QuantConfig& config, QuantPlan& plan);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_QUANTIZE_OUTPUTS_H_
