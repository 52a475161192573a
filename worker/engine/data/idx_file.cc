#include "worker/engine/data/idx_file.h"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxValues = int64_t{4} << 30;
constexpr int64_t kChunk = int64_t{1} << 20;
constexpr uint8_t kUnsignedByte = 0x08;

struct CloseGz {
  void operator()(gzFile_s* file) const { gzclose(file); }
};
using GzFile = std::unique_ptr<gzFile_s, CloseGz>;

absl::Status Bad(const std::filesystem::path& path, int64_t offset, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(path.string(), ", offset ", offset, ": ", what, "; download the file again"));
}

// Appends `bytes` bytes to `content`, which holds what was read so far.
absl::Status Append(const std::filesystem::path& path, gzFile file, int64_t bytes, int64_t offset,
                    std::string* content) {
  for (int64_t left = bytes; left > 0;) {
    const int64_t piece = std::min(left, kChunk);
    const size_t before = content->size();
    content->resize(before + static_cast<size_t>(piece));
    const int count = gzread(file, content->data() + before, static_cast<unsigned>(piece));
    if (count != piece) {
      const int64_t end = offset + bytes - left + std::max(count, 0);
      int code = Z_OK;
      const char* const reason = gzerror(file, &code);
      return Bad(
          path, end,
          count < 0 || code != Z_OK
              ? absl::StrCat("the compressed data is damaged (", reason, ")")
              : absl::StrCat("the file ends, ", left - std::max(count, 0), " bytes are missing"));
    }
    left -= piece;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> ReadShape(const std::filesystem::path& path, gzFile file,
                                               size_t dimensions) {
  std::string header;
  const auto bytes = static_cast<int64_t>(4 + 4 * dimensions);
  QUANTRY_RETURN_IF_ERROR(Append(path, file, bytes, 0, &header));
  const auto byte = [&header](size_t i) { return static_cast<uint8_t>(header[i]); };
  if (byte(0) != 0 || byte(1) != 0 || byte(2) != kUnsignedByte || byte(3) != dimensions) {
    return Bad(
        path, 0,
        absl::StrCat("this is no IDX file of unsigned bytes with ", dimensions, " dimensions"));
  }
  std::vector<int64_t> shape;
  int64_t values = 1;
  for (size_t d = 0; d < dimensions; ++d) {
    int64_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length * 256 + byte(4 + 4 * d + i);
    if (length < 1 || length > kMaxValues / values) {
      return Bad(path, static_cast<int64_t>(4 + 4 * d),
                 absl::StrCat("dimension ", d, " is ", length, "; allowed: from 1, and up to ",
                              kMaxValues, " values in all"));
    }
    values *= length;
    shape.push_back(length);
  }
  return shape;
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(const std::filesystem::path& path, size_t dimensions) {
  const GzFile file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) {
    return absl::PermissionDeniedError(absl::StrCat("cannot open ", path.string()));
  }
  IdxArray array;
  QUANTRY_ASSIGN_OR_RETURN(array.shape, ReadShape(path, file.get(), dimensions));
  int64_t values = 1;
  for (const int64_t length : array.shape) values *= length;
  const auto header = static_cast<int64_t>(4 + 4 * dimensions);
  QUANTRY_RETURN_IF_ERROR(Append(path, file.get(), values, header, &array.values));
  // Reading on also makes zlib compare the checksum.
  char more = 0;
  const int count = gzread(file.get(), &more, 1);
  if (count > 0) return Bad(path, header + values, "the file is longer than its header says");
  int code = Z_OK;
  const char* const reason = gzerror(file.get(), &code);
  if (count < 0 || code != Z_OK) {
    return Bad(path, header + values,
               absl::StrCat("the compressed data is damaged (", reason, ")"));
  }
  return array;
}

}  // namespace quantry::engine
