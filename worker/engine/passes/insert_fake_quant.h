#ifndef QUANTRY_WORKER_ENGINE_PASSES_INSERT_FAKE_QUANT_H_
#define QUANTRY_WORKER_ENGINE_PASSES_INSERT_FAKE_QUANT_H_

#include <vector>

#include "worker/engine/graph/graph.h"
#include "worker/engine/passes/annotate.h"

namespace quantry::engine {

// Puts a FakeQuantize node in front of the planned input slots. For a tensor X it is called
// "X.fake_quant" and its state "X.scale", "X.accum", "X.state", "X.initialized", and "X.alpha", a
// parameter, with PACT. The plan must be of this graph as it stands.
void InsertFakeQuant(Graph& graph, const QuantPlan& plan);

// Takes all FakeQuantize nodes and their state out again: the float graph with its trained weights.
void RemoveFakeQuant(Graph& graph);

// The alphas of all PACT quantizers, by name: parameters with a learning rate of their own.
std::vector<Value*> PactAlphas(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_INSERT_FAKE_QUANT_H_
