#ifndef QUANTRY_WORKER_ENGINE_DATA_ZIP_INDEX_H_
#define QUANTRY_WORKER_ENGINE_DATA_ZIP_INDEX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/data/random_access_file.h"

namespace quantry::engine {

// One file within a zip archive.
struct ZipMember {
  std::string name;
  bool deflated = false;  // else stored as it is
  uint32_t crc = 0;       // of the content (CRC-32)
  int64_t offset = 0;     // of the stored or deflated bytes in the archive
  int64_t stored_bytes = 0;
  int64_t content_bytes = 0;  // once inflated
};

// The files of a zip archive (PKWARE's APPNOTE 6.3, with zip64), in the order of its directory.
// INVALID_ARGUMENT, naming the archive: no or a broken directory, several disks, encryption,
// another compression than deflate, more than 65536 members, a directory over 64 MiB, a name given
// twice, members beyond the file's end. Thread-safe.
absl::StatusOr<std::vector<ZipMember>> IndexZip(const RandomAccessFile& file);

// The content of a deflated member. Memory grows with what is inflated, not with what the directory
// promises. DATA_LOSS if it is damaged or not as long as the directory says; RESOURCE_EXHAUSTED
// above `max_bytes`.
absl::StatusOr<std::string> InflateMember(const RandomAccessFile& file, const ZipMember& member,
                                          int64_t max_bytes);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_ZIP_INDEX_H_
