#include "worker/engine/data/open_remote.h"

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/remote/checksum_list.h"
#include "worker/engine/data/remote/dataset_view.h"
#include "worker/engine/data/remote/http_client.h"
#include "worker/engine/data/remote/object_cache.h"
#include "worker/engine/data/remote/remote_object.h"
#include "worker/engine/data/shard_names.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxChecksumBytes = int64_t{64} << 20;

// Says from time to time how far fetching is, and how long it will take.
class FetchProgress {
 public:
  FetchProgress(const RemoteOptions& options, std::string uri, size_t objects)
      : options_(options), uri_(std::move(uri)), objects_(objects) {}

  void Begin() {
    bytes_before_ += bytes_;
    bytes_ = 0;
    ++index_;
  }

  // Of the object that is under way.
  void Tell(int64_t done, int64_t total) {
    bytes_ = done;
    const absl::Time now = absl::Now();
    if (now < next_) return;
    next_ = now + options_.log_interval;
    constexpr double kMiB = 1 << 20;
    std::string line = absl::StrFormat("%s: fetching object %d of %d, %.1f", uri_, index_, objects_,
                                       static_cast<double>(done) / kMiB);
    if (total > 0) absl::StrAppendFormat(&line, " of %.1f", static_cast<double>(total) / kMiB);
    const double seconds = absl::ToDoubleSeconds(now - start_);
    absl::StrAppendFormat(&line, " MiB; %.1f MiB/s",
                          static_cast<double>(bytes_before_ + bytes_) / kMiB / seconds);
    const double part = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0.0;
    const double share = (static_cast<double>(index_ - 1) + part) / static_cast<double>(objects_);
    if (share > 0) absl::StrAppendFormat(&line, ", %.0f s left", seconds * (1 - share) / share);
    Log(options_, line);
  }

 private:
  const RemoteOptions& options_;
  const std::string uri_;
  const size_t objects_;
  const absl::Time start_ = absl::Now();
  absl::Time next_ = start_ + options_.log_interval;
  size_t index_ = 0;  // of the object under way, from 1
  int64_t bytes_ = 0;
  int64_t bytes_before_ = 0;
};

absl::StatusOr<std::vector<RemoteObject>> FindObjects(const DatasetUri& uri,
                                                      const RemoteOptions& options,
                                                      HttpClient& client) {
  const RemoteLocation& location = *uri.remote();
  if (location.is_prefix()) return ListObjects(location, uri.folder_endings(), options, client);
  QUANTRY_ASSIGN_OR_RETURN(std::vector<std::string> paths, ExpandBraces(location.path));
  return ObjectsAt(location, paths, options);
}

// The list that the parameter `checksums` names, which lies beside the data.
absl::StatusOr<ChecksumList> FetchChecksums(const DatasetUri& uri, const RemoteOptions& options,
                                            ObjectCache& cache,
                                            const std::filesystem::path& folder) {
  const std::string name = uri.Text("checksums");
  QUANTRY_ASSIGN_OR_RETURN(
      const auto objects,
      ObjectsAt(*uri.remote(), {absl::StrCat(uri.remote()->folder(), name)}, options));
  const std::filesystem::path file = folder / ".checksums";
  QUANTRY_RETURN_IF_ERROR(cache.Fetch(objects[0], "", file, nullptr));
  QUANTRY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxChecksumBytes));
  std::error_code ignored;
  std::filesystem::remove(file, ignored);  // it is no part of the data
  absl::StatusOr<ChecksumList> list = ParseChecksumList(text);
  if (!list.ok()) return WithContext(list.status(), objects[0].uri);
  return list;
}

// The hash that the object must have; "": any.
absl::StatusOr<std::string> ExpectedHash(const RemoteObject& object, const DatasetUri& uri,
                                         const ChecksumList& checksums) {
  if (!uri.Has("checksums")) return uri.Text("sha256");
  const auto found = checksums.find(object.name);
  if (found != checksums.end()) return found->second;
  return absl::InvalidArgumentError(absl::StrCat(object.uri, ": the list '", uri.Text("checksums"),
                                                 "' has no SHA-256 of it; add a line"));
}

absl::Status FetchAll(const std::vector<RemoteObject>& objects, const DatasetUri& uri,
                      const RemoteOptions& options, ObjectCache& cache,
                      const std::filesystem::path& folder) {
  ChecksumList checksums;
  if (uri.Has("checksums")) {
    QUANTRY_ASSIGN_OR_RETURN(checksums, FetchChecksums(uri, options, cache, folder));
  }
  FetchProgress progress(options, uri.remote()->ToString(), objects.size());
  for (const RemoteObject& object : objects) {
    progress.Begin();
    QUANTRY_ASSIGN_OR_RETURN(const std::string hash, ExpectedHash(object, uri, checksums));
    QUANTRY_RETURN_IF_ERROR(
        cache.Fetch(object, hash, folder / object.name,
                    [&](int64_t done, int64_t total) { progress.Tell(done, total); }));
  }
  return absl::OkStatus();
}

// Readers know where the copy is; people know the URI.
absl::Status InTermsOf(const RemoteLocation& location, const std::filesystem::path& folder,
                       const absl::Status& status) {
  const std::string origin =
      absl::StrCat(location.scheme, "://", location.authority, location.folder());
  const std::string view = folder.string();
  return absl::Status(
      status.code(), absl::StrReplaceAll(status.message(), {{view + "/", origin}, {view, origin}}));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenRemote(const DatasetUri& uri,
                                                    const DatasetOptions& options,
                                                    OpenFunction* open) {
  const RemoteLocation& location = *uri.remote();
  QUANTRY_RETURN_IF_ERROR(CheckRemoteAllowed(location.ToString(), options.allowed_roots));
  QUANTRY_ASSIGN_OR_RETURN(const auto client, HttpClient::Create(options.remote));
  QUANTRY_ASSIGN_OR_RETURN(const auto objects, FindObjects(uri, options.remote, *client));
  QUANTRY_ASSIGN_OR_RETURN(const auto cache, ObjectCache::Open(options.remote, *client));
  QUANTRY_ASSIGN_OR_RETURN(const DatasetView view, DatasetView::Make(cache->folder() / "views"));
  QUANTRY_RETURN_IF_ERROR(FetchAll(objects, uri, options.remote, *cache, view.path()));
  DatasetOptions local = options;
  if (!local.allowed_roots.empty()) local.allowed_roots.push_back(view.path().string());
  const std::filesystem::path path =
      location.is_prefix() ? view.path() : view.path() / location.name();
  auto dataset = open(uri.FetchedTo(path.string()), local);
  if (!dataset.ok()) return InTermsOf(location, view.path(), dataset.status());
  return dataset;
}

}  // namespace quantry::engine
