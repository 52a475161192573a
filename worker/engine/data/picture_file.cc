#include "worker/engine/data/picture_file.h"

#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/picture_codec.h"

namespace quantry::engine {

absl::StatusOr<Picture> ReadPictureFile(const std::filesystem::path& path, const std::string& name,
                                        int64_t label) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > static_cast<uintmax_t>(kMaxPictureBytes)) {
    return absl::DataLossError(
        absl::StrCat(name, ": the file has ", bytes, " bytes; allowed: up to ", kMaxPictureBytes));
  }
  QUANTRY_ASSIGN_OR_RETURN(const std::string file, ReadFile(path, kMaxPictureBytes));
  absl::StatusOr<Picture> picture = DecodePicture(file, label);
  if (!picture.ok()) return WithContext(picture.status(), name);
  return picture;
}

}  // namespace quantry::engine
