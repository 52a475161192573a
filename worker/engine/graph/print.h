#ifndef QUANTRY_WORKER_ENGINE_GRAPH_PRINT_H_
#define QUANTRY_WORKER_ENGINE_GRAPH_PRINT_H_

#include <string>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The graph as text, one node a line in topological order, for people and golden tests:
//   graph mobilenet (%input: float32[?,3,224,224]) -> (%logits)
//     param %conv1.weight: float32[32,3,3,3]
//     %x1 = Conv[strides=[2,2]](%input, %conv1.weight)  # conv1
std::string Print(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_GRAPH_PRINT_H_
