#ifndef QUANTRY_WORKER_ENGINE_IMPORT_KNOWN_NUMBERS_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_KNOWN_NUMBERS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/import/graph_part.h"

namespace quantry::engine {

// The int64 scalar that is the only output of a small graph without data: its inputs have declared
// shapes, which is all that its nodes may look at. Empty where it can't be told.
using ConstantFinder = std::function<std::optional<int64_t>(const onnx::GraphProto&)>;

// Numbers of a graph that follow from constants and declared shapes; empty for those that don't.
// INVALID_ARGUMENT where the search has looked at more than 4 million nodes. Not thread-safe.
class KnownNumbers {
 public:
  // Both must outlive it.
  KnownNumbers(const ConstantFinder& find, const onnx::GraphProto& graph)
      : find_(find), graph_(graph) {}

  // The scalar `value`, a bool as 0 or 1.
  absl::StatusOr<std::optional<int64_t>> Scalar(const std::string& value);
  // The size of axis `axis` of `value`.
  absl::StatusOr<std::optional<int64_t>> Size(const std::string& value, int64_t axis);

  // To be called after each change of the graph.
  void Forget() { parts_.reset(); }

 private:
  absl::Status Prepare();
  // `part` makes the value "number".
  std::optional<int64_t> Find(onnx::GraphProto part) const;

  const ConstantFinder& find_;
  const onnx::GraphProto& graph_;
  std::optional<GraphParts> parts_;  // of the graph as it is; empty after a change
  int64_t looks_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_KNOWN_NUMBERS_H_
