#ifndef QUANTRY_WORKER_ENGINE_PASSES_EDIT_H_
#define QUANTRY_WORKER_ENGINE_PASSES_EDIT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Steps that several passes are made of. None of them is thread-safe.

bool IsGraphOutput(const Graph& graph, const Value* value);

// `value` takes the place of the only output of `node`, and the node goes. A graph output's name is
// kept: `value` gets it. False, and nothing is done, where `value` needs its own name (it is a
// graph input, an initializer or a graph output itself).
bool ReplaceNode(Graph& graph, Node* node, Value* value);

// The elements of a constant int64 initializer of rank 0 or 1; absent for other values.
std::optional<std::vector<int64_t>> ConstantInts(const Value* value);

// The only element of a constant float32 initializer; absent for other values.
std::optional<float> ConstantFloat(const Value* value);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_EDIT_H_
