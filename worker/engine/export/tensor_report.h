#ifndef QUANTRY_WORKER_ENGINE_EXPORT_TENSOR_REPORT_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_TENSOR_REPORT_H_

#include <string>
#include <vector>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// How one tensor of one layer is quantized.
struct TensorReport {
  std::string layer;            // node name
  std::string op_type;          // ONNX operator
  std::string value;            // name of the tensor
  std::string fake_quant_node;  // name of its FakeQuantize node
  bool is_weight = false;
  std::string quantizer;  // as in quant_config; "PACT+..." with PACT
  int bits = 0;
  bool per_channel = false;
  double scale_min =
      0;  // smallest and largest step size: the real value of one integer, as trained
  double scale_max = 0;  // (before BatchNorm is folded)
};

// One entry for each layer input that a FakeQuantize node feeds, in topological order of the
// layers. An activation that several layers share appears with each.
std::vector<TensorReport> ReportTensors(const Graph& trained);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_TENSOR_REPORT_H_
