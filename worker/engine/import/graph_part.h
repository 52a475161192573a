#ifndef QUANTRY_WORKER_ENGINE_IMPORT_GRAPH_PART_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_GRAPH_PART_H_

#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "onnx/onnx_pb.h"

namespace quantry::engine {

// Cuts out of a graph what one value is computed from. Must not outlive the graph, which must not
// change meanwhile.
class GraphParts {
 public:
  explicit GraphParts(const onnx::GraphProto& graph);

  // The nodes and initializers behind `value`. Of what only Shape or Size look at, no more than the
  // declared type is taken, as an input. Empty where the value needs a model input or control flow,
  // or where nothing makes it.
  std::optional<onnx::GraphProto> Behind(const std::string& value) const;

  // The declared type of `value` or that of the initializer of that name; null: none.
  std::optional<onnx::ValueInfoProto> TypeOf(const std::string& value) const;

 private:
  const onnx::GraphProto& graph_;
  absl::flat_hash_map<std::string, const onnx::NodeProto*> producers_;
  absl::flat_hash_map<std::string, const onnx::TensorProto*> initializers_;
  absl::flat_hash_map<std::string, const onnx::ValueInfoProto*> types_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_GRAPH_PART_H_
