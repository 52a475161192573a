#ifndef QUANTRY_WORKER_ENGINE_PASSES_CLAMP_H_
#define QUANTRY_WORKER_ENGINE_PASSES_CLAMP_H_

#include <optional>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// What Relu and Clip with constant bounds do: min(max(x, low), high). Bounds that are not there are
// infinite.
struct Clamp {
  float low = 0;
  float high = 0;
};

// The node as a clamp; absent if it is none.
std::optional<Clamp> ClampOf(const Node& node);

// Whether quantizing what the node makes of its input 0 is the same as doing so before it, with any
// one scale for the whole tensor: operators that only move elements or pick the largest, and
// clamps. (For a clamp c and rounding to a grid r: r(c(x)) = r(c(r(x))), since both are monotone.)
// Such a node has one output.
bool CommutesWithQuantizer(const Node& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_CLAMP_H_
