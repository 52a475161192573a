#include "worker/engine/data/dataset_writer.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/picture_codec.h"

namespace quantry::engine {
namespace {

constexpr int64_t kPicturesPerReport = 256;

absl::Status CheckFolderName(const std::string& name) {
  if (!name.empty() && name.front() != '.' && !absl::StrContains(name, '/')) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("class name '", name, "' can't be the name of a folder"));
}

// Without the fsync of WriteFileAtomically: thousands of them would take minutes, and a data set
// that a crash cuts short is written again.
absl::Status WriteFile(const std::filesystem::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (file) return absl::OkStatus();
  return ErrnoToStatus(errno, absl::StrCat("cannot write ", path.string()));
}

}  // namespace

absl::StatusOr<int64_t> WriteDataset(const Dataset& dataset, const std::filesystem::path& dir,
                                     const DatasetWriterOptions& options) {
  if (options.limit.has_value() && *options.limit < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("limit is ", *options.limit, "; allowed: 1 or more"));
  }
  for (const std::string& name : dataset.class_names()) {
    QUANTRY_RETURN_IF_ERROR(CheckFolderName(name));
    QUANTRY_RETURN_IF_ERROR(MakeDirectories(dir / name));
  }
  const int64_t total = std::min(dataset.size(), options.limit.value_or(dataset.size()));
  int64_t written = 0;
  for (int64_t i = 0; i < total; ++i) {
    const absl::StatusOr<Picture> picture = dataset.Get(i);
    if (picture.ok()) {
      QUANTRY_ASSIGN_OR_RETURN(const std::string png, EncodePng(*picture));
      const std::string file = absl::StrFormat("%06d.png", i);
      QUANTRY_RETURN_IF_ERROR(WriteFile(dir / dataset.class_names()[picture->label] / file, png));
      ++written;
    } else if (!absl::IsDataLoss(picture.status())) {
      return picture.status();
    }
    const bool is_last = i + 1 == total;
    if (options.progress && (is_last || (i + 1) % kPicturesPerReport == 0)) {
      options.progress(i + 1, total);
    }
  }
  return written;
}

}  // namespace quantry::engine
