#ifndef QUANTRY_WORKER_ENGINE_IMPORT_PARSE_MODEL_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_PARSE_MODEL_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "onnx/onnx_pb.h"

namespace quantry::engine {

inline constexpr int64_t kMinOpset = 7;
inline constexpr int64_t kMaxOpset = 21;

// Parses and checks the outer form: it is an ONNX file, whole, with a graph of at most 50000 nodes
// and one version of the default operator set. INVALID_ARGUMENT otherwise.
absl::StatusOr<onnx::ModelProto> ParseModel(absl::string_view bytes);

// Version of the default operator set ("" or "ai.onnx"). INVALID_ARGUMENT where the file names none
// or one outside kMinOpset..kMaxOpset.
absl::StatusOr<int64_t> OpsetOf(const onnx::ModelProto& model);

// The operator's name with its domain: "Conv", "quantry.FakeQuantize", "com.microsoft.QGemm".
std::string QualifiedOp(const onnx::NodeProto& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_PARSE_MODEL_H_
