#ifndef QUANTRY_WORKER_ENGINE_IMPORT_INSPECT_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_INSPECT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// What a model file says of itself.
struct OnnxSummary {
  struct Port {
    std::string name;
    std::string type;  // "float32[?,3,224,224]"; "?" for what the file leaves open
  };
  struct OperatorCount {
    std::string op;  // with its domain, if that is not ONNX's own
    int64_t count = 0;
    bool supported = false;  // the engine knows it, or its course is fixed
    // If, Loop and Scan: the import puts the nodes that it runs in its place. They are counted with
    // the others, and with a few that join them.
    bool inlined = false;
  };

  std::string name;
  std::string producer;  // name and version
  int64_t ir_version = 0;
  int64_t opset = 0;
  std::vector<Port> inputs;  // without those that are initializers
  std::vector<Port> outputs;
  std::vector<OperatorCount> operators;  // by name
  int64_t node_count = 0;                // of the main graph as it stands in the file
  // Elements of all initializers of a floating type that nodes read as trained parameters (ops/
  // operator.h). 0 for a model whose weights are not initializers.
  int64_t parameter_count = 0;
};

// Reads the outer form only: no tensor is made but what tells the course of control flow (inline_
// control_flow.h), unknown operators and any opset are reported rather than refused. `folder`:
// where external data may lie; absent: nowhere. INVALID_ARGUMENT where it is not a whole ONNX file.
absl::StatusOr<OnnxSummary> DescribeOnnx(
    absl::string_view bytes, const std::optional<std::filesystem::path>& folder = std::nullopt);
absl::StatusOr<OnnxSummary> DescribeOnnxFile(const std::filesystem::path& path);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_INSPECT_H_
