#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_OBJECT_CACHE_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_OBJECT_CACHE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/remote/file_lock.h"
#include "worker/engine/data/remote/http_client.h"
#include "worker/engine/data/remote/remote_object.h"
#include "worker/engine/data/remote/remote_options.h"

namespace quantry::engine {

// Copies of remote objects on this machine's disk, shared by all processes that are given the same
// folder:
//   objects/HASH/content       a whole object; HASH is the SHA-256 of its address
//   objects/HASH/content.json  its version, size and SHA-256; its time is that of the last use
//   objects/HASH/partial*      one that is on its way, of this run or one that was cut off
//   locks/HASH                 held by the process that looks after the object
//   views/NAME/                hard links for one reader (DatasetView), gone with it
// A copy appears by a rename, whole and checked, or not at all. Not thread-safe.
class ObjectCache {
 public:
  // `options` and `client` must outlive the cache. Makes the folders.
  static absl::StatusOr<std::unique_ptr<ObjectCache>> Open(const RemoteOptions& options,
                                                           HttpClient& client);

  // Makes `target` a hard link to the current copy of `object`, after fetching it if there is none
  // or if the server has another version now. With `sha256` the content must have that hash, and a
  // copy that has it is taken without asking the server. While another process fetches the object
  // this waits. The least recently used copies go where room is needed. `progress`: see
  // DownloadPlan.
  // Errors begin with the object's URI. INVALID_ARGUMENT: another SHA-256, twice.
  // FAILED_PRECONDITION: all that this object was asked for is larger than options.cache_bytes.
  // See also Download.
  absl::Status Fetch(const RemoteObject& object, absl::string_view sha256,
                     const std::filesystem::path& target,
                     const std::function<void(int64_t done, int64_t total)>& progress);

  const std::filesystem::path& folder() const { return folder_; }

 private:
  struct Entry;
  ObjectCache(std::filesystem::path folder, const RemoteOptions& options, HttpClient& client)
      : folder_(std::move(folder)), options_(options), client_(client) {}
  absl::StatusOr<FileLock> LockEntry(const std::string& hash, absl::string_view uri);
  absl::Status FetchLocked(const RemoteObject& object, absl::string_view sha256,
                           const Entry& entry,
                           const std::function<void(int64_t, int64_t)>& progress);
  absl::Status Admit(int64_t bytes, const Entry& entry);
  absl::Status MakeRoom(int64_t bytes, const Entry& keep);  // `bytes` for the entry `keep`

  const std::filesystem::path folder_;
  const RemoteOptions& options_;
  HttpClient& client_;
  int64_t asked_bytes_ = 0;      // of the objects that were fetched or found so far
  std::optional<int64_t> used_;  // by all copies, about; absent: not counted yet
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_OBJECT_CACHE_H_
