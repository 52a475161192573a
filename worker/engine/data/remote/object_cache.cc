#include "worker/engine/data/remote/object_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "worker/engine/data/remote/download.h"
#include "worker/engine/data/remote/stored_object.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr absl::Duration kTellOfWaiting = absl::Seconds(2);

absl::StatusOr<fs::path> FolderOf(const RemoteOptions& options) {
  if (!options.cache_folder.empty()) return options.cache_folder;
  const auto cache = EnvironmentOf(options, "XDG_CACHE_HOME");
  if (cache && fs::path(*cache).is_absolute()) return fs::path(*cache) / "quantry" / "datasets";
  const auto home = EnvironmentOf(options, "HOME");
  if (home && !home->empty()) return fs::path(*home) / ".cache" / "quantry" / "datasets";
  return absl::FailedPreconditionError(
      "there is no folder for copies of remote datasets; set dataset_cache in the spec, or "
      "XDG_CACHE_HOME");
}

// What an entry takes, and when it was used last.
struct Usage {
  fs::path folder;
  int64_t bytes = 0;
  fs::file_time_type last_used = fs::file_time_type::min();
};

Usage UsageOf(const fs::path& folder) {
  Usage usage{.folder = folder};
  std::error_code error;
  for (fs::directory_iterator files(folder, error); !error && files != fs::directory_iterator();
       files.increment(error)) {
    std::error_code ignored;
    const auto bytes = files->file_size(ignored);
    if (!ignored) usage.bytes += static_cast<int64_t>(bytes);
    const auto time = files->last_write_time(ignored);
    if (!ignored) usage.last_used = std::max(usage.last_used, time);
  }
  return usage;
}

// All entries, the least recently used first.
std::vector<Usage> ScanEntries(const fs::path& objects) {
  std::vector<Usage> entries;
  std::error_code error;
  for (fs::directory_iterator folders(objects, error);
       !error && folders != fs::directory_iterator(); folders.increment(error)) {
    entries.push_back(UsageOf(folders->path()));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Usage& a, const Usage& b) { return a.last_used < b.last_used; });
  return entries;
}

}  // namespace

struct ObjectCache::Entry {
  explicit Entry(fs::path entry_folder) : folder(std::move(entry_folder)) {}
  const fs::path folder;
  const fs::path content = folder / "content";
  const fs::path content_notes = folder / "content.json";
  const fs::path partial = folder / "partial";
  const fs::path partial_notes = folder / "partial.json";

  // The whole copy that is there.
  std::optional<StoredObject> Stored() const {
    std::optional<StoredObject> stored = ReadStoredObject(content_notes);
    std::error_code error;
    const auto bytes = fs::file_size(content, error);
    if (error || !stored || !stored->size || static_cast<int64_t>(bytes) != *stored->size) {
      return std::nullopt;
    }
    return stored;
  }

  absl::Status RemovePartial() const {
    QUANTRY_RETURN_IF_ERROR(RemoveAll(partial));
    return RemoveAll(partial_notes);
  }
};

absl::StatusOr<std::unique_ptr<ObjectCache>> ObjectCache::Open(const RemoteOptions& options,
                                                               HttpClient& client) {
  QUANTRY_ASSIGN_OR_RETURN(const fs::path given, FolderOf(options));
  std::error_code error;
  const fs::path folder = fs::weakly_canonical(fs::absolute(given, error), error);
  if (error) return ErrnoToStatus(error.value(), given.string());
  for (const char* part : {"objects", "locks", "views"}) {
    QUANTRY_RETURN_IF_ERROR(MakeDirectories(folder / part));
  }
  return std::unique_ptr<ObjectCache>(new ObjectCache(folder, options, client));
}

absl::StatusOr<FileLock> ObjectCache::LockEntry(const std::string& hash, absl::string_view uri) {
  absl::Duration waited;
  while (true) {
    QUANTRY_ASSIGN_OR_RETURN(std::optional<FileLock> lock, FileLock::Try(folder_ / "locks" / hash));
    if (lock) return *std::move(lock);
    if (IsInterrupted(options_)) {
      return absl::CancelledError("interrupted while another process fetches a dataset");
    }
    absl::SleepFor(kPoll);
    if (waited < kTellOfWaiting && waited + kPoll >= kTellOfWaiting) {
      Log(options_, absl::StrCat(uri, ": another process is fetching it; waiting for that"));
    }
    waited += kPoll;
  }
}

absl::Status ObjectCache::Fetch(const RemoteObject& object, absl::string_view sha256,
                                const fs::path& target,
                                const std::function<void(int64_t, int64_t)>& progress) {
  const std::string hash = Sha256Hex(object.request.url);
  const Entry entry(folder_ / "objects" / hash);
  QUANTRY_ASSIGN_OR_RETURN(const FileLock lock, LockEntry(hash, object.uri));
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(entry.folder));
  QUANTRY_RETURN_IF_ERROR(FetchLocked(object, sha256, entry, progress));
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(entry.content, error));
  asked_bytes_ += bytes;
  if (used_) *used_ += bytes;
  fs::last_write_time(entry.content_notes, fs::file_time_type::clock::now(), error);
  fs::create_hard_link(entry.content, target, error);
  if (!error) return absl::OkStatus();
  return ErrnoToStatus(error.value(), absl::StrCat("cannot link ", target.string()));
}

absl::Status ObjectCache::FetchLocked(const RemoteObject& object, absl::string_view sha256,
                                      const Entry& entry,
                                      const std::function<void(int64_t, int64_t)>& progress) {
  std::optional<StoredObject> stored = entry.Stored();
  if (!sha256.empty() && stored) {
    if (stored->sha256 == sha256) return absl::OkStatus();
    stored.reset();
  }
  const DownloadPlan plan{.file = entry.partial,
                          .notes = entry.partial_notes,
                          .known = stored,
                          .admit = [&](int64_t bytes) { return Admit(bytes, entry); },
                          .progress = progress};
  for (int tries_left = 2;; --tries_left) {
    const absl::Time start = absl::Now();
    QUANTRY_ASSIGN_OR_RETURN(std::optional<StoredObject> fetched,
                             Download(object, plan, options_, client_));
    if (!fetched) return absl::OkStatus();
    QUANTRY_ASSIGN_OR_RETURN(fetched->sha256, Sha256HexOfFile(entry.partial));
    if (sha256.empty() || fetched->sha256 == sha256) {
      Log(options_, absl::StrCat(object.uri, ": fetched ", *fetched->size, " bytes in ",
                                 absl::FormatDuration(
                                     absl::Trunc(absl::Now() - start, absl::Milliseconds(10))),
                                 ", sha256=", fetched->sha256));
      QUANTRY_RETURN_IF_ERROR(RemoveAll(entry.content_notes));
      QUANTRY_RETURN_IF_ERROR(CommitFile(entry.partial, entry.content));
      QUANTRY_RETURN_IF_ERROR(WriteStoredObject(*fetched, entry.content_notes));
      return RemoveAll(entry.partial_notes);
    }
    QUANTRY_RETURN_IF_ERROR(entry.RemovePartial());
    if (tries_left > 1) continue;  // the way may have damaged it
    return absl::InvalidArgumentError(
        absl::StrCat(object.uri, ": its SHA-256 is ", fetched->sha256, ", and should be ", sha256,
                     "; it was fetched twice: correct the hash, or put the right file there"));
  }
}

absl::Status ObjectCache::Admit(int64_t bytes, const Entry& entry) {
  if (bytes > options_.cache_bytes - asked_bytes_) {
    const std::string others =
        asked_bytes_ > 0 ? absl::StrCat(", others of the dataset ", asked_bytes_) : "";
    return absl::FailedPreconditionError(absl::StrCat(
        "it has ", bytes, " bytes", others, ", and all copies of remote datasets may take ",
        options_.cache_bytes,
        "; let them take more (--dataset-cache-bytes of the worker), or use fewer objects"));
  }
  return MakeRoom(bytes, entry);
}

absl::Status ObjectCache::MakeRoom(int64_t bytes, const Entry& keep) {
  if (used_ && *used_ + bytes <= options_.cache_bytes) return absl::OkStatus();
  std::vector<Usage> entries = ScanEntries(folder_ / "objects");
  int64_t used = 0;
  for (const Usage& entry : entries) used += entry.folder == keep.folder ? 0 : entry.bytes;
  for (const Usage& entry : entries) {
    if (used + bytes <= options_.cache_bytes) break;
    if (entry.folder == keep.folder || entry.bytes == 0) continue;
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<FileLock> lock,
                             FileLock::Try(folder_ / "locks" / entry.folder.filename()));
    if (!lock) continue;  // somebody is about to use it
    QUANTRY_RETURN_IF_ERROR(RemoveAll(entry.folder));
    used -= entry.bytes;
  }
  used_ = used;
  return absl::OkStatus();
}

}  // namespace quantry::engine
