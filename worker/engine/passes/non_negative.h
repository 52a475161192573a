#ifndef QUANTRY_WORKER_ENGINE_PASSES_NON_NEGATIVE_H_
#define QUANTRY_WORKER_ENGINE_PASSES_NON_NEGATIVE_H_

#include <set>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The values of the graph that can't be negative, whatever the input: what Relu, Sigmoid, Clip from
// 0 and their like make, and what operators that keep the sign make of such (pooling, reshaping,
// Concat, sums and products of them). A value that is not in the set may still never be negative.
// Empty for a graph with a cycle.
std::set<const Value*> NonNegativeValues(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_NON_NEGATIVE_H_
