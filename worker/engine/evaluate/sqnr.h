#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_SQNR_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_SQNR_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Signal-to-quantization-noise ratio of every fake-quant node of `graph`, by node name, in decibel:
// 10 log10(sum x^2 / sum (x - y)^2), x the node's input and y its output, summed over the first
// `max_batches` batches of epoch 0. Nodes without signal or without noise are left out.
absl::StatusOr<std::map<std::string, double>> MeasureSqnr(const Graph& graph, Loader& loader,
                                                          int64_t max_batches);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_SQNR_H_
