#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_PICKLE_DEPTH_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_PICKLE_DEPTH_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// How deeply the values of a pickle are nested: 0 for a number, 1 for a list of numbers. Reads the
// opcodes and makes nothing. LibTorch frees nested values recursively, so that it must not be shown
// deeper ones than its stack holds. INVALID_ARGUMENT for what TorchScript files don't have: other
// opcodes, a truncated program, a container that is changed after it was put into another one.
absl::StatusOr<int64_t> PickleDepth(absl::string_view pickle);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_PICKLE_DEPTH_H_
