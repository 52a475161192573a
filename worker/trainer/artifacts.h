#ifndef QUANTRY_WORKER_TRAINER_ARTIFACTS_H_
#define QUANTRY_WORKER_TRAINER_ARTIFACTS_H_

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantry/v1/event.pb.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::trainer {

// Writes a float graph as ONNX, atomically.
absl::Status WriteFloatModel(const engine::Graph& graph, const std::filesystem::path& path);

// Writes a graph with FakeQuantize nodes as ONNX in QDQ form, atomically.
absl::Status WriteQuantizedModel(const engine::Graph& graph, const engine::QdqOptions& options,
                                 const std::filesystem::path& path);

// Name, size and SHA-256 of a finished file.
absl::StatusOr<v1::Artifact> DescribeArtifact(const std::filesystem::path& path);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_ARTIFACTS_H_
