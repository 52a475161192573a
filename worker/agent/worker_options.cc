#include "worker/agent/worker_options.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/dataset_schemes.h"

namespace quantry::agent {
namespace {

bool IsDeviceName(absl::string_view device) {
  if (device == "auto" || device == "cpu") return true;
  constexpr absl::string_view kPrefix = "cuda:";
  if (!absl::StartsWith(device, kPrefix)) return false;
  const absl::string_view number = device.substr(kPrefix.size());
  return !number.empty() && number.size() <= 3 &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "https://host", "s3://bucket/prefix/".
bool IsRemoteRoot(absl::string_view root) {
  const size_t end = root.find("://");
  return end != absl::string_view::npos && FindRemoteScheme(root.substr(0, end)) != nullptr &&
         root.size() > end + 3 && root[end + 3] != '/';
}

}  // namespace

absl::Status WorkerOptions::Validate() const {
  if (server.address.empty()) return absl::InvalidArgumentError("server is empty; give host:port");
  if (data_dir.empty()) return absl::InvalidArgumentError("data-dir is empty; give a folder");
  if (!IsDeviceName(device)) {
    return absl::InvalidArgumentError(
        absl::StrCat("device is '", device, "'; allowed: auto, cpu, cuda:N"));
  }
  if (trainer.empty()) return absl::InvalidArgumentError("trainer is empty; give a program");
  for (const std::string& root : dataset_roots) {
    if (!std::filesystem::path(root).is_absolute() && !IsRemoteRoot(root)) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset-root is '", root,
                       "'; it must be an absolute path, or http://, https:// or s3:// and what "
                       "datasets may lie below"));
    }
  }
  if (dataset_cache_bytes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset-cache-bytes is ", dataset_cache_bytes, "; it must be at least 1"));
  }
  if (cache_bytes < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cache-bytes is ", cache_bytes, "; it must be at least 0"));
  }
  if (stop_grace <= absl::ZeroDuration() || shutdown_upload < absl::ZeroDuration()) {
    return absl::InvalidArgumentError("stop-grace must be above 0 and shutdown-upload at least 0");
  }
  if (acquire_wait <= absl::ZeroDuration() || acquire_wait > absl::Seconds(60)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "acquire wait is ", absl::FormatDuration(acquire_wait), "; allowed: above 0, at most 60s"));
  }
  return absl::OkStatus();
}

}  // namespace quantry::agent
