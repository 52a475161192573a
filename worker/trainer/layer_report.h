#ifndef QUANTRY_WORKER_TRAINER_LAYER_REPORT_H_
#define QUANTRY_WORKER_TRAINER_LAYER_REPORT_H_

#include <map>
#include <string>
#include <vector>

#include "quantry/v1/quantization.pb.h"
#include "worker/engine/graph/graph.h"

namespace quantry::trainer {

// One entry per quantized input of each layer of a graph with FakeQuantize nodes, in the order of
// the layers. `sqnr_db` by name of the FakeQuantize node (see engine::MeasureSqnr).
std::vector<v1::LayerQuantization> DescribeLayers(const engine::Graph& graph,
                                                  const std::map<std::string, double>& sqnr_db);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_LAYER_REPORT_H_
