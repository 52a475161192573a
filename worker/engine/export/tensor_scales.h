#ifndef QUANTRY_WORKER_ENGINE_EXPORT_TENSOR_SCALES_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_TENSOR_SCALES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// How one quantized tensor maps to integers: value = (integer - zero_point) * scale, with integers
// of `bits` bits. Lists have one element, or one per index of `axis`. Scales of weights are those
// that were trained, before BatchNormalization is folded into them.
struct TensorScales {
  std::string tensor;               // its name in the model
  std::vector<std::string> layers;  // nodes that read it quantized, in topological order
  bool is_weight = false;
  std::string quantizer;  // as in quant_config
  int bits = 0;
  std::string dtype;  // of the stored integers: "int4", "int8", "uint8", "int16", "uint16"
  int64_t axis = -1;
  std::vector<double> scales;
  std::vector<int64_t> zero_points;  // of the stored type
  std::vector<double> low;           // the range that is represented; the tensor is clipped to it
  std::vector<double> high;
  std::vector<double> alphas;  // PACT's trained thresholds; empty without PACT
};

// One entry for each FakeQuantize node, in topological order. Errors as ToQdq's.
absl::StatusOr<std::vector<TensorScales>> ScalesOf(const Graph& trained, const QdqOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_TENSOR_SCALES_H_
