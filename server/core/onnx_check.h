#ifndef QUANTRY_SERVER_CORE_ONNX_CHECK_H_
#define QUANTRY_SERVER_CORE_ONNX_CHECK_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace quantry::server {

// How many bytes from a file's start CheckOnnxHead wants to see.
inline constexpr int64_t kOnnxHeadBytes = 64 << 10;

// Whether a file that starts with `head` is a zip archive, as TorchScript models are.
bool LooksLikeTorchScript(absl::string_view head);

// Whether a file of `file_size` bytes that starts with `head` can be an ONNX model: walks the
// top-level fields of ModelProto's wire format (protobuf field numbers after onnx.proto: 1
// ir_version, 2-6, 7 graph, 8 opset_import, 14, 20, 25) as far as `head` reaches. A cheap filter
// against wrong files; whether the model is sound is found by the trainer.
// INVALID_ARGUMENT says what is wrong.
absl::Status CheckOnnxHead(absl::string_view head, int64_t file_size);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_ONNX_CHECK_H_
