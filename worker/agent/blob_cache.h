#ifndef QUANTRY_WORKER_AGENT_BLOB_CACHE_H_
#define QUANTRY_WORKER_AGENT_BLOB_CACHE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace quantry::agent {

// Fetches the blob to `path`, which is complete and checked on return.
using BlobFetcher =
    std::function<absl::Status(const std::string& sha256, const std::filesystem::path& path)>;

// Files by their SHA-256 in one folder, the least recently used removed when they are too many
// bytes. Thread-safe; a file is fetched once, however many ask for it.
class BlobCache {
 public:
  // `max_bytes` >= 0; files in use at the moment may exceed it.
  BlobCache(std::filesystem::path folder, int64_t max_bytes)
      : folder_(std::move(folder)), max_bytes_(max_bytes) {}

  // Makes `target` (on the same file system) a hard link to the blob, so that removal from the
  // cache can't take it away. A cached file whose bytes have changed is fetched anew.
  // INVALID_ARGUMENT: `sha256` is none. Sets `*hit` to whether nothing was fetched.
  absl::Status LinkTo(const std::string& sha256, const std::filesystem::path& target,
                      const BlobFetcher& fetch, bool* hit) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status MakeAvailable(const std::string& sha256, const BlobFetcher& fetch, bool* hit) const;
  void Trim() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::filesystem::path folder_;
  const int64_t max_bytes_;
  absl::Mutex mutex_;
  std::set<std::string> busy_ ABSL_GUARDED_BY(mutex_);  // being fetched or linked
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_BLOB_CACHE_H_
