#include "common/status_macros.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/weights/read_weights.h"

namespace quantry::engine {

// By way of the graph, because exporters let equal initializers share one tensor, which importing
// undoes.
absl::StatusOr<WeightMap> ReadOnnxWeights(const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const Graph graph, ImportOnnxFile(path));
  WeightMap weights;
  for (const InitializerRole role : {InitializerRole::kParameter, InitializerRole::kBuffer}) {
    for (const Value* value : graph.initializers(role)) weights[value->name()] = value->tensor();
  }
  return weights;
}

}  // namespace quantry::engine
