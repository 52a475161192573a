#include "worker/trainer/artifacts.h"

#include "common/sha256.h"
#include "common/status_macros.h"
#include "worker/engine/export/to_qdq.h"
#include "worker/engine/export/write_onnx.h"

namespace quantry::trainer {

absl::Status WriteFloatModel(const engine::Graph& graph, const std::filesystem::path& path) {
  return engine::WriteOnnxFile(graph, path);
}

absl::Status WriteQuantizedModel(const engine::Graph& graph, const engine::QdqOptions& options,
                                 const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const engine::Graph lowered, engine::ToQdq(graph, options));
  return engine::WriteOnnxFile(lowered, path);
}

absl::StatusOr<v1::Artifact> DescribeArtifact(const std::filesystem::path& path) {
  v1::Artifact artifact;
  artifact.set_name(path.filename().string());
  QUANTRY_ASSIGN_OR_RETURN(*artifact.mutable_blob(), Sha256HexOfFile(path));
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return absl::InternalError(path.string() + ": " + error.message());
  artifact.set_size_bytes(static_cast<int64_t>(size));
  return artifact;
}

}  // namespace quantry::trainer
