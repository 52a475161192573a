#ifndef QUANTRY_SERVER_CORE_CATALOG_H_
#define QUANTRY_SERVER_CORE_CATALOG_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry::server {

// What jobs may ask for in this release: GetCapabilities shows it, validation enforces it. The
// lists mirror the engine's tables, which the server can't include. (Values of quant_config: see
// common/quant_config.h; datasets: common/dataset_schemes.h.)

absl::Span<const absl::string_view> JobModes();       // "float", "evaluate"
absl::Span<const absl::string_view> BuiltinModels();  // networks of the zoo
absl::Span<const absl::string_view> OnnxOperators();  // that the engine evaluates or inlines

// Largest Resources.device_count.
inline constexpr int kMaxDeviceCount = 64;

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_CATALOG_H_
