#ifndef QUANTRY_WORKER_ENGINE_DATA_TAR_INDEX_H_
#define QUANTRY_WORKER_ENGINE_DATA_TAR_INDEX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/data/random_access_file.h"

namespace quantry::engine {

// A regular file inside a tar file.
struct TarMember {
  std::string name;
  int64_t offset;  // of its content, in the tar file
  int64_t bytes;
};

// The regular files of an uncompressed tar file, in its order: POSIX.1-1988 (v7, ustar with
// prefix), pax headers (path, size) and GNU's long names. Links, folders and devices are passed
// over. Reads headers alone, one after the other. INVALID_ARGUMENT, naming file and offset: a
// header whose checksum is wrong (also: the file is compressed), a size that reaches beyond the
// file, a name of more than 4096 bytes, a pax header over 1 MiB, a file that ends within a member.
absl::StatusOr<std::vector<TarMember>> IndexTar(const RandomAccessFile& file);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_TAR_INDEX_H_
