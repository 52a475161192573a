#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_SCAN_PICKLE_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_SCAN_PICKLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// What a pickle asks of the one that reads it.
struct PickleContent {
  // The memory of a tensor, which lies in a record of its own.
  struct Storage {
    std::string record;  // its name
    int64_t bytes = 0;   // that the tensor takes for granted
  };
  // How deeply the values are nested: 0 for a number, 1 for a list of numbers.
  int64_t depth = 0;
  std::vector<Storage> storages;
};

// Reads the opcodes and makes nothing. LibTorch frees nested values recursively, so that it must
// not be shown deeper ones than its stack holds, and believes what a pickle says of the size of a
// record. INVALID_ARGUMENT for what TorchScript files don't have: other opcodes, a truncated
// program, a container that is changed after it was put into another one, a storage that is not
// described by literals.
absl::StatusOr<PickleContent> ScanPickle(absl::string_view pickle);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_SCAN_PICKLE_H_
