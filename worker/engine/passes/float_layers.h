#ifndef QUANTRY_WORKER_ENGINE_PASSES_FLOAT_LAYERS_H_
#define QUANTRY_WORKER_ENGINE_PASSES_FLOAT_LAYERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// A node whose trained weights stay in float.
struct FloatLayer {
  std::string name;
  std::string op;
  int64_t weights = 0;  // elements
};

// The nodes of a graph with FakeQuantize nodes that read trained tensors of two or more axes as
// they are: layers that quant_config leaves out, and operators whose weights no profile quantizes
// (RNN, GRU, LSTM). In topological order; INVALID_ARGUMENT where there is none.
absl::StatusOr<std::vector<FloatLayer>> FloatLayers(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_FLOAT_LAYERS_H_
