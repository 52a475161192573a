#include "worker/agent/blob_cache.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace quantry::agent {

namespace fs = std::filesystem;

absl::Status BlobCache::LinkTo(const std::string& sha256, const fs::path& target,
                               const BlobFetcher& fetch, bool* hit) {
  if (!IsSha256Hex(sha256)) {
    return absl::InvalidArgumentError(absl::StrCat("'", sha256, "' is no SHA-256"));
  }
  {
    absl::MutexLock lock(&mutex_);
    const auto is_free = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return busy_.count(sha256) == 0;
    };
    mutex_.Await(absl::Condition(&is_free));
    busy_.insert(sha256);
  }
  const auto release = absl::MakeCleanup([&] {
    absl::MutexLock lock(&mutex_);
    busy_.erase(sha256);
  });
  QUANTRY_RETURN_IF_ERROR(MakeAvailable(sha256, fetch, hit));
  std::error_code error;
  fs::create_hard_link(folder_ / sha256, target, error);
  if (error) {
    return ErrnoToStatus(error.value(), absl::StrCat("cannot link ", target.string()));
  }
  absl::MutexLock lock(&mutex_);
  Trim();
  return absl::OkStatus();
}

absl::Status BlobCache::MakeAvailable(const std::string& sha256, const BlobFetcher& fetch,
                                      bool* hit) const {
  const fs::path path = folder_ / sha256;
  *hit = true;
  if (fs::exists(path)) {
    QUANTRY_ASSIGN_OR_RETURN(const std::string actual, Sha256HexOfFile(path));
    if (actual == sha256) {
      std::error_code ignored;  // the time only orders the removal
      fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
      return absl::OkStatus();
    }
    QUANTRY_RETURN_IF_ERROR(RemoveAll(path));
  }
  *hit = false;
  return fetch(sha256, path);
}

void BlobCache::Trim() const {
  struct Entry {
    fs::file_time_type used;
    fs::path path;
    int64_t bytes = 0;
  };
  std::vector<Entry> entries;
  int64_t total = 0;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder_, error)) {
    if (!IsSha256Hex(file.path().filename().string())) continue;
    Entry entry{file.last_write_time(error), file.path(),
                static_cast<int64_t>(file.file_size(error))};
    if (error) continue;
    total += entry.bytes;
    if (busy_.count(entry.path.filename().string()) == 0) entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= max_bytes_) return;
    if (fs::remove(entry.path, error)) total -= entry.bytes;
  }
}

}  // namespace quantry::agent
