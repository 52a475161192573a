#ifndef QUANTRY_WORKER_ENGINE_PASSES_FLOAT_VALUES_H_
#define QUANTRY_WORKER_ENGINE_PASSES_FLOAT_VALUES_H_

#include <set>
#include <vector>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The values that are float32 when the graph runs, as far as operators, attributes and the types of
// inputs and initializers tell: shape arithmetic in integers, comparisons and the like are not.
// `order` is graph.TopologicalOrder().
std::set<const Value*> FloatValues(const Graph& graph, const std::vector<Node*>& order);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_FLOAT_VALUES_H_
