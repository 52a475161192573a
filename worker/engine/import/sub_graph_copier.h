#ifndef QUANTRY_WORKER_ENGINE_IMPORT_SUB_GRAPH_COPIER_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_SUB_GRAPH_COPIER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/import/sub_graph_names.h"

namespace quantry::engine {

// Appends copies of sub-graphs to `graph`, of at most 50000 nodes and 256 MiB in all. Not
// thread-safe.
class SubGraphCopier {
 public:
  SubGraphCopier(int64_t opset, onnx::GraphProto& graph) : opset_(opset), graph_(graph) {}

  // How much the graph has, to take back what comes later.
  struct Mark {
    int nodes = 0;
    int initializers = 0;
    int types = 0;
  };
  Mark Now() const;
  void TakeBack(const Mark& mark);

  // A prefix that no name has yet.
  std::string Prefix();

  void CopyInitializers(const onnx::GraphProto& body, const Names& names);
  // With the types that it declares for their outputs. INVALID_ARGUMENT beyond the limits.
  absl::Status CopyNodes(const onnx::GraphProto& body, const Names& names);

  // `value` becomes output `index` of `node`, which is to go.
  void NameOutput(const onnx::NodeProto& node, int index, const std::string& value);
  // The same of `values`, joined along a new axis.
  void StackOutput(const onnx::NodeProto& node, int index, std::vector<std::string> values,
                   int64_t axis);

 private:
  const int64_t opset_;
  onnx::GraphProto& graph_;
  int64_t next_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_SUB_GRAPH_COPIER_H_
