#include "worker/engine/data/picture_header.h"

#include "absl/strings/match.h"

namespace quantry::engine {
namespace {

constexpr absl::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);
constexpr absl::string_view kJpegSignature("\xff\xd8\xff", 3);

// The big-endian number in `bytes` bytes at `at`, which must lie within `file`.
int64_t BigEndian(absl::string_view file, size_t at, int bytes) {
  int64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(file[at + i]);
  return value;
}

absl::Status CutShort() { return absl::DataLossError("the file is cut short"); }

absl::StatusOr<PictureSize> ReadPngSize(absl::string_view file) {
  if (file.size() < 33 || file.substr(12, 4) != "IHDR") return CutShort();
  if (!absl::StrContains(file, "IEND")) return CutShort();
  return PictureSize{BigEndian(file, 16, 4), BigEndian(file, 20, 4)};
}

// SOF0..SOF15 carry the size; DHT (c4), JPG (c8) and DAC (cc) lie in the same range.
bool IsStartOfFrame(int marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

absl::StatusOr<PictureSize> ReadJpegSize(absl::string_view file) {
  PictureSize size{0, 0};
  size_t at = 2;
  while (at + 4 <= file.size()) {
    if (static_cast<uint8_t>(file[at]) != 0xff) return absl::DataLossError("damaged JPEG marker");
    const int marker = static_cast<uint8_t>(file[at + 1]);
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    const int64_t length = BigEndian(file, at + 2, 2);
    if (length < 2) return absl::DataLossError("damaged JPEG segment");
    if (IsStartOfFrame(marker)) {
      if (at + 9 > file.size()) return CutShort();
      size = {BigEndian(file, at + 7, 2), BigEndian(file, at + 5, 2)};
    }
    at += 2 + static_cast<size_t>(length);
    if (marker != 0xda) continue;  // start of scan: coded data follows, in which ff d9 is EOI only
    if (size.width == 0) return absl::DataLossError("JPEG without a frame");
    if (at >= file.size() || file.find("\xff\xd9", at) == absl::string_view::npos) {
      return CutShort();
    }
    return size;
  }
  return CutShort();
}

}  // namespace

absl::StatusOr<PictureSize> ReadPictureSize(absl::string_view file) {
  if (absl::StartsWith(file, kPngSignature)) return ReadPngSize(file);
  if (absl::StartsWith(file, kJpegSignature)) return ReadJpegSize(file);
  return absl::DataLossError(file.empty() ? "the file is empty" : "neither a JPEG nor a PNG file");
}

}  // namespace quantry::engine
