#ifndef QUANTRY_WORKER_ENGINE_PASSES_INSERT_FAKE_QUANT_H_
#define QUANTRY_WORKER_ENGINE_PASSES_INSERT_FAKE_QUANT_H_

#include <vector>

#include "worker/engine/graph/graph.h"
#include "worker/engine/passes/annotate.h"

namespace quantry::engine {

// Puts a FakeQuantize node in front of the planned input slots. For a tensor X it is called
// "X.fake_quant" and its state "X.scale", "X.initialized", by the quantizer's history "X.accum" and
// "X.state" or "X.window" and "X.count", and "X.alpha", a parameter, with PACT. A learned quantizer
// has the parameter "X.learned_step" instead of "X.scale", and "X.learned_offset" (LSQ+) or
// "X.zero_point" (lsq_act, asymmetric) beside it. Where the plan asks for it, the outputs of its
// layers are followed (passes/output_scales.h). Tensors that are `first` are put in last, in front
// of all that reads X then. The plan must be of this graph as it stands.
void InsertFakeQuant(Graph& graph, const QuantPlan& plan);

// Takes all FakeQuantize nodes, what follows outputs, and their state out again: the float graph
// with its trained weights.
void RemoveFakeQuant(Graph& graph);

// The alphas of all PACT quantizers, by name: parameters with a learning rate of their own.
std::vector<Value*> PactAlphas(const Graph& graph);

// The step sizes and offsets of all learned quantizers, by name: parameters that are never decayed.
std::vector<Value*> LearnedSteps(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_INSERT_FAKE_QUANT_H_
