#ifndef QUANTRY_COMMON_FILES_H_
#define QUANTRY_COMMON_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry {

// Files, with errors as Status: NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk full or
// quota), INTERNAL otherwise; every message names the path. Functions are thread-safe.

// The whole content. RESOURCE_EXHAUSTED if the file is larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path,
                                     int64_t max_bytes = int64_t{4} << 30);

// Replaces `path` by `content` so that a crash at any moment leaves the old file or the new one:
// writes `path` + ".tmp.PID", fsyncs it, renames it, fsyncs the folder.
absl::Status WriteFileAtomically(const std::filesystem::path& path, absl::string_view content);

// Renames `from` (already written) onto `to`, durably: fsync file, rename, fsync folder.
absl::Status CommitFile(const std::filesystem::path& from, const std::filesystem::path& to);

// Makes the folder and its parents; no error if it exists.
absl::Status MakeDirectories(const std::filesystem::path& path);

// Removes a file or a whole folder; no error if it does not exist.
absl::Status RemoveAll(const std::filesystem::path& path);

// The error number of a failed system call as Status: "cannot open /x: No such file or directory".
absl::Status ErrnoToStatus(int error_number, absl::string_view context);

}  // namespace quantry

#endif  // QUANTRY_COMMON_FILES_H_
