#include "worker/engine/import/external_data.h"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/onnx_text.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

struct Location {
  std::string path;
  int64_t offset = 0;             // bytes
  std::optional<int64_t> length;  // bytes; absent: up to the end of the tensor
};

absl::StatusOr<int64_t> ParseBytes(absl::string_view key, const std::string& text) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("external data: ", key, " '", ForMessage(text), "' is not a number of bytes"));
  }
  return value;
}

absl::StatusOr<Location> ParseLocation(const onnx::TensorProto& proto) {
  Location location;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location.path = entry.value();
    if (entry.key() == "offset") {
      QUANTRY_ASSIGN_OR_RETURN(location.offset, ParseBytes("offset", entry.value()));
    }
    if (entry.key() == "length") {
      QUANTRY_ASSIGN_OR_RETURN(location.length, ParseBytes("length", entry.value()));
    }
  }
  return location;
}

absl::Status Outside(const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrCat("external data: location '", ForMessage(path),
                   "' must be a relative path of a file below the model's folder"));
}

absl::StatusOr<fs::path> ResolveBelow(const fs::path& folder, const std::string& location) {
  const fs::path relative(location);
  if (location.empty() || relative.is_absolute()) return Outside(location);
  std::error_code error;
  const fs::path base = fs::canonical(folder.empty() ? fs::path(".") : folder, error);
  if (error) return absl::InvalidArgumentError("the model's folder can't be read");
  const fs::path file = fs::weakly_canonical(base / relative, error);
  if (error) return Outside(location);
  const auto [end_of_base, rest] =
      std::mismatch(base.begin(), base.end(), file.begin(), file.end());
  if (end_of_base != base.end() || rest == file.end()) return Outside(location);
  if (!fs::is_regular_file(file, error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "external data: there is no file '", ForMessage(location), "' in the model's folder"));
  }
  return file;
}

}  // namespace

absl::StatusOr<std::string> ReadExternalData(const onnx::TensorProto& proto, int64_t bytes,
                                             const fs::path& folder) {
  QUANTRY_ASSIGN_OR_RETURN(const Location location, ParseLocation(proto));
  if (location.length.has_value() && *location.length != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("external data: length ", *location.length,
                                                   " but the dimensions ask for ", bytes,
                                                   " bytes"));
  }
  QUANTRY_ASSIGN_OR_RETURN(const fs::path file, ResolveBelow(folder, location.path));
  std::error_code error;
  const auto file_bytes = static_cast<int64_t>(fs::file_size(file, error));
  if (error || location.offset > file_bytes || bytes > file_bytes - location.offset) {
    return absl::InvalidArgumentError(
        absl::StrCat("external data: file '", ForMessage(location.path), "' has ", file_bytes,
                     " bytes, too few for offset ", location.offset, " and length ", bytes));
  }
  std::string data(static_cast<size_t>(bytes), '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(location.offset);
  stream.read(data.data(), bytes);
  if (!stream) {
    return absl::InvalidArgumentError(
        absl::StrCat("external data: file '", ForMessage(location.path), "' can't be read"));
  }
  return data;
}

}  // namespace quantry::engine
