#ifndef QUANTRY_WORKER_ENGINE_GRAPH_VERIFY_H_
#define QUANTRY_WORKER_ENGINE_GRAPH_VERIFY_H_

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Checks the graph's own rules: every edge is recorded at both ends, every value has one producer or
// is an input or initializer, no cycle, outputs exist and are not dangling, names are unique.
// INTERNAL names the node or value that breaks a rule. What an operator demands of its inputs and
// attributes is checked by ops/ (VerifyOperators).
absl::Status Verify(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_GRAPH_VERIFY_H_
