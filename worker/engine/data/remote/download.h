#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_DOWNLOAD_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_DOWNLOAD_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "absl/status/statusor.h"
#include "worker/engine/data/remote/http_client.h"
#include "worker/engine/data/remote/remote_object.h"
#include "worker/engine/data/remote/remote_options.h"
#include "worker/engine/data/remote/stored_object.h"

namespace quantry::engine {

// How one object is brought into a file.
struct DownloadPlan {
  std::filesystem::path file;   // what has come so far; goes on where it ends
  std::filesystem::path notes;  // its StoredObject: without it `file` is not trusted
  // The copy that is there already: nothing is fetched if the server says that it is still right.
  std::optional<StoredObject> known;
  // Asked when the size is known, and again if the object is larger than the server said: may it
  // come? Null: always.
  std::function<absl::Status(int64_t bytes)> admit;
  // Told how much has come, and how much there is (0: unknown). Null: nobody listens.
  std::function<void(int64_t done, int64_t total)> progress;
};

// Fetches `object` to plan.file, over as many requests as it takes: after a cut it goes on by
// Range, if the server has the same version still (If-Range), else from the start. The result has
// no sha256; absent: plan.known is still right. The file's size is the one that the server said.
// Errors begin with the object's URI: see WithRetries, ErrorOfResponse, HttpClient::Get; what
// plan.admit returned; RESOURCE_EXHAUSTED, the disk is full.
absl::StatusOr<std::optional<StoredObject>> Download(const RemoteObject& object,
                                                     const DownloadPlan& plan,
                                                     const RemoteOptions& options,
                                                     HttpClient& client);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_DOWNLOAD_H_
