#ifndef QUANTRY_WORKER_ENGINE_PASSES_OUTPUT_SCALES_H_
#define QUANTRY_WORKER_ENGINE_PASSES_OUTPUT_SCALES_H_

#include <string>
#include <vector>

#include "worker/engine/graph/graph.h"
#include "worker/engine/passes/annotate.h"

namespace quantry::engine {

// The scale of what a quantized layer puts out: the moving average of max|y| over the steps
// (ops/observe_output.cc). Outputs are followed, not changed.
struct OutputScale {
  std::string layer;  // node name
  std::string value;  // name of the tensor that is followed
  float scale = 0;    // 0 until something was seen
};

// Puts an ObserveOutput node, called "Y.observe", behind the output Y of every layer of `plan`, with
// its state in the buffers "Y.output_scale", "Y.output_accum" and "Y.output_state". Where a
// BatchNormalization alone reads the layer, Y is the output of that: what the layer puts out once
// the two are folded. Nothing uses the node's output, so that Graph::RemoveDead takes it out again;
// it must not run in between. `plan.output_moving_rate` must be set.
void FollowOutputs(Graph& graph, const QuantPlan& plan);

// Of every output that is followed, in topological order.
std::vector<OutputScale> OutputScales(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_OUTPUT_SCALES_H_
