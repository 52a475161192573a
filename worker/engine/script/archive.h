#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_ARCHIVE_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_ARCHIVE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// What a TorchScript file may ask for. The defaults are far above what networks need: 20,000
// tensors, 2 GiB.
struct ArchiveLimits {
  int64_t max_records = 200000;
  int64_t max_unpacked_bytes = int64_t{2} << 30;  // of all records together
  int64_t max_text_bytes = int64_t{64} << 20;     // of one record of code, or pickle
  int64_t max_nesting = 256;                      // of brackets in code, of values in a pickle
};

// Looks at a zip archive before LibTorch does, which trusts it: that its records lie within it, and
// how much they unpack to, from its directory alone, and that they are those of a TorchScript file;
// then how deeply its programs and pickles are nested, and that no program runs while they are read
// (__setstate__). INVALID_ARGUMENT names the record, what it has and what is allowed.
absl::Status CheckTorchArchive(absl::string_view bytes, const ArchiveLimits& limits = {});

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_ARCHIVE_H_
