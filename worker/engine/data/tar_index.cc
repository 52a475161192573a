#include "worker/engine/data/tar_index.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kMaxExtendedBytes = int64_t{1} << 20;
constexpr size_t kMaxNameBytes = 4096;

// Field positions of a header (POSIX.1-1988, "ustar interchange format").
struct Field {
  size_t offset;
  size_t bytes;
};
constexpr Field kName = {0, 100};
constexpr Field kSize = {124, 12};
constexpr Field kChecksum = {148, 8};
constexpr Field kType = {156, 1};
constexpr Field kMagic = {257, 6};
constexpr Field kPrefix = {345, 155};

absl::string_view Raw(absl::string_view header, Field field) {
  return header.substr(field.offset, field.bytes);
}

// Up to the first NUL.
absl::string_view TextOf(absl::string_view header, Field field) {
  const absl::string_view raw = Raw(header, field);
  return raw.substr(0, raw.find('\0'));
}

// Octal digits, or GNU's binary form: a byte 0x80, then a big-endian number. Nothing if neither.
std::optional<int64_t> NumberOf(absl::string_view header, Field field) {
  const absl::string_view raw = Raw(header, field);
  int64_t value = 0;
  if (static_cast<uint8_t>(raw[0]) == 0x80) {
    for (const char c : raw.substr(1)) {
      if (value >= int64_t{1} << 54) return std::nullopt;
      value = value * 256 + static_cast<uint8_t>(c);
    }
    return value;
  }
  size_t i = 0;
  while (i < raw.size() && raw[i] == ' ') ++i;
  const size_t first = i;
  for (; i < raw.size() && raw[i] != ' ' && raw[i] != '\0'; ++i) {
    if (raw[i] < '0' || raw[i] > '7') return std::nullopt;
    value = value * 8 + (raw[i] - '0');
  }
  if (i == first) return std::nullopt;
  return value;
}

// Whether the sum of all bytes, those of the checksum counted as spaces, is what the header says.
bool ChecksumIsRight(absl::string_view header) {
  int64_t sum = 0;
  for (size_t i = 0; i < header.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.bytes;
    sum += own ? ' ' : static_cast<uint8_t>(header[i]);
  }
  return NumberOf(header, kChecksum) == sum;
}

// Goes through one tar file.
class Indexer {
 public:
  explicit Indexer(const RandomAccessFile& file) : file_(file) {}

  absl::StatusOr<std::vector<TarMember>> Run() {
    while (position_ < file_.size()) {
      if (file_.size() - position_ < kBlock) return Bad("the file ends within a header");
      QUANTRY_ASSIGN_OR_RETURN(const std::string header, file_.Read(position_, kBlock));
      if (header.find_first_not_of('\0') == std::string::npos) break;  // the end mark
      QUANTRY_RETURN_IF_ERROR(ReadMember(header));
    }
    return std::move(members_);
  }

 private:
  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path().string(), ", offset ", position_, ": ", what));
  }

  absl::Status ReadMember(absl::string_view header) {
    if (!ChecksumIsRight(header)) {
      return Bad(
          "no tar header with a right checksum; a compressed tar file must be unpacked to a "
          "plain one, a damaged one be made again");
    }
    // A pax size is of the member that follows, not of another extended header.
    const char type = Raw(header, kType)[0];
    const bool extends = type == 'x' || type == 'L';
    const std::optional<int64_t> size =
        long_size_ && !extends ? long_size_ : NumberOf(header, kSize);
    const int64_t left = file_.size() - position_ - kBlock;
    if (!size || *size > left) {
      return Bad(absl::StrCat("the size of '", TextOf(header, kName), "' reaches beyond the file, ",
                              "which ends at offset ", file_.size(), "; the file is cut short"));
    }
    if (extends) {
      QUANTRY_RETURN_IF_ERROR(ReadExtension(type, *size));
    } else {
      if (type == '0' || type == '\0') QUANTRY_RETURN_IF_ERROR(AddFile(header, *size));
      long_name_.reset();
      long_size_.reset();
    }
    position_ += kBlock + std::min(left, (*size + kBlock - 1) / kBlock * kBlock);
    return absl::OkStatus();
  }

  absl::Status AddFile(absl::string_view header, int64_t size) {
    std::string name(TextOf(header, kName));
    // GNU's own format, whose magic ends in a space, keeps times where POSIX has the prefix.
    if (Raw(header, kMagic) == absl::string_view("ustar\0", kMagic.bytes)) {
      const absl::string_view prefix = TextOf(header, kPrefix);
      if (!prefix.empty()) name = absl::StrCat(prefix, "/", name);
    }
    if (long_name_) name = *long_name_;
    if (name.empty() || name.size() > kMaxNameBytes) {
      return Bad(absl::StrCat("a name of ", name.size(), " bytes; allowed: 1 to ", kMaxNameBytes));
    }
    members_.push_back({std::move(name), position_ + kBlock, size});
    return absl::OkStatus();
  }

  absl::Status ReadExtension(char type, int64_t size) {
    if (size > kMaxExtendedBytes) {
      return Bad(absl::StrCat("an extended header of ", size, " bytes; allowed: up to ",
                              kMaxExtendedBytes));
    }
    QUANTRY_ASSIGN_OR_RETURN(const std::string content, file_.Read(position_ + kBlock, size));
    if (type == 'x') return ReadPax(content);
    long_name_ = content.c_str();  // up to the first NUL
    return absl::OkStatus();
  }

  // Records "LENGTH KEY=VALUE\n", LENGTH counting the whole record.
  absl::Status ReadPax(absl::string_view content) {
    while (!content.empty()) {
      const size_t space = content.find(' ');
      size_t length = 0;
      if (space == absl::string_view::npos || space > 8 ||
          !absl::SimpleAtoi(content.substr(0, space), &length) || length < space + 3 ||
          length > content.size() || content[length - 1] != '\n') {
        return Bad("a pax header is damaged");
      }
      const absl::string_view record = content.substr(space + 1, length - space - 2);
      const size_t equals = record.find('=');
      if (equals == absl::string_view::npos) return Bad("a pax header is damaged");
      const absl::string_view key = record.substr(0, equals);
      const absl::string_view value = record.substr(equals + 1);
      if (key == "path") long_name_ = std::string(value);
      int64_t size = 0;
      if (key == "size") {
        if (!absl::SimpleAtoi(value, &size) || size < 0) return Bad("a pax header's size is wrong");
        long_size_ = size;
      }
      content.remove_prefix(length);
    }
    return absl::OkStatus();
  }

  const RandomAccessFile& file_;
  int64_t position_ = 0;
  std::optional<std::string> long_name_;  // of the next member
  std::optional<int64_t> long_size_;
  std::vector<TarMember> members_;
};

}  // namespace

absl::StatusOr<std::vector<TarMember>> IndexTar(const RandomAccessFile& file) {
  return Indexer(file).Run();
}

}  // namespace quantry::engine
