#ifndef QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TEXT_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// Names come from files that strangers wrote and end up in logs, reports and JSON. INVALID_ARGUMENT
// unless `name` is well-formed UTF-8 (RFC 3629) without control characters and at most 1024 bytes
// long; `what` says whose name it is.
absl::Status CheckName(absl::string_view what, absl::string_view name);

// The name made fit for an error message: escaped, and cut after 120 bytes.
std::string ForMessage(absl::string_view name);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TEXT_H_
