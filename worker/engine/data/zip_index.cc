#include "worker/engine/data/zip_index.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxMembers = 65536;
constexpr int64_t kMaxDirectoryBytes = int64_t{64} << 20;
constexpr int64_t kEndBytes = 22;
constexpr int64_t kEnd64Bytes = 56;
constexpr int64_t kLocator64Bytes = 20;
constexpr int64_t kEntryBytes = 46;
constexpr int64_t kLocalBytes = 30;
constexpr uint32_t kIn64 = 0xffffffff;  // "see the zip64 field"
constexpr int64_t kChunk = int64_t{1} << 20;

absl::Status Bad(const RandomAccessFile& file, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(file.path().string(), " is not a sound zip archive: ", why));
}

uint64_t Number(absl::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}
uint32_t Word(absl::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Number(bytes, at, 4));
}
uint32_t Half(absl::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Number(bytes, at, 2));
}

struct Directory {
  uint64_t members = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0;
};

// The zip64 end record, which the locator in front of the end record at `end` leads to.
absl::StatusOr<Directory> ReadEnd64(const RandomAccessFile& file, int64_t end) {
  if (end < kLocator64Bytes) return Bad(file, "its zip64 locator is missing");
  std::string locator(kLocator64Bytes, '\0');
  QUANTRY_RETURN_IF_ERROR(file.ReadInto(end - kLocator64Bytes, kLocator64Bytes, locator.data()));
  if (Word(locator, 0) != 0x07064b50) return Bad(file, "its zip64 locator is missing");
  const uint64_t at = Number(locator, 8, 8);
  if (file.size() < kEnd64Bytes || at > static_cast<uint64_t>(file.size() - kEnd64Bytes)) {
    return Bad(file, "its zip64 directory lies beyond its end");
  }
  std::string record(kEnd64Bytes, '\0');
  QUANTRY_RETURN_IF_ERROR(file.ReadInto(static_cast<int64_t>(at), kEnd64Bytes, record.data()));
  if (Word(record, 0) != 0x06064b50) return Bad(file, "its zip64 directory is missing");
  if (Word(record, 16) != 0 || Word(record, 20) != 0) return Bad(file, "it has several disks");
  return Directory{Number(record, 32, 8), Number(record, 40, 8), Number(record, 48, 8)};
}

absl::StatusOr<Directory> FindDirectory(const RandomAccessFile& file) {
  // A comment of up to 65535 bytes may follow the end record.
  const int64_t tail_bytes = std::min<int64_t>(file.size(), kEndBytes + 65535);
  QUANTRY_ASSIGN_OR_RETURN(const std::string tail, file.Read(file.size() - tail_bytes, tail_bytes));
  for (int64_t at = tail_bytes - kEndBytes; at >= 0; --at) {
    if (Word(tail, at) != 0x06054b50) continue;
    if (at + kEndBytes + Half(tail, at + 20) != tail_bytes) continue;
    if (Half(tail, at + 4) != 0 || Half(tail, at + 6) != 0)
      return Bad(file, "it has several disks");
    const Directory directory{Half(tail, at + 10), Word(tail, at + 12), Word(tail, at + 16)};
    if (directory.members != 0xffff && directory.bytes != kIn64 && directory.offset != kIn64) {
      return directory;
    }
    return ReadEnd64(file, file.size() - tail_bytes + at);
  }
  return Bad(file, "it has no directory at its end");
}

// Replaces the sizes and the offset that stand in the zip64 field, in the order in which they do.
bool TakeZip64(absl::string_view extra, uint64_t* content, uint64_t* stored, uint64_t* offset) {
  while (extra.size() >= 4) {
    const size_t bytes = Half(extra, 2);
    if (bytes > extra.size() - 4) return false;
    absl::string_view field = extra.substr(4, bytes);
    if (Half(extra, 0) != 1) {
      extra.remove_prefix(4 + bytes);
      continue;
    }
    for (uint64_t* value : {content, stored, offset}) {
      if (*value != kIn64) continue;
      if (field.size() < 8) return false;
      *value = Number(field, 0, 8);
      field.remove_prefix(8);
    }
    return true;
  }
  return *content != kIn64 && *stored != kIn64 && *offset != kIn64;
}

// Where the bytes of the member begin, whose local header is at `local`.
absl::StatusOr<int64_t> DataOffset(const RandomAccessFile& file, const ZipMember& member,
                                   uint64_t local) {
  if (file.size() < kLocalBytes || local > static_cast<uint64_t>(file.size() - kLocalBytes)) {
    return Bad(file, absl::StrCat("'", member.name, "' lies beyond its end"));
  }
  std::string header(kLocalBytes, '\0');
  QUANTRY_RETURN_IF_ERROR(file.ReadInto(static_cast<int64_t>(local), kLocalBytes, header.data()));
  if (Word(header, 0) != 0x04034b50) {
    return Bad(file, absl::StrCat("'", member.name, "' has no header"));
  }
  const int64_t offset =
      static_cast<int64_t>(local) + kLocalBytes + Half(header, 26) + Half(header, 28);
  if (offset > file.size() || member.stored_bytes > file.size() - offset) {
    return Bad(file, absl::StrCat("'", member.name, "' lies beyond its end"));
  }
  return offset;
}

// Takes the entry at the front of `directory` off it.
absl::StatusOr<ZipMember> TakeEntry(const RandomAccessFile& file, absl::string_view* directory) {
  const absl::string_view entry = *directory;
  if (entry.size() < static_cast<size_t>(kEntryBytes) || Word(entry, 0) != 0x02014b50) {
    return Bad(file, "its directory is damaged");
  }
  const size_t name_bytes = Half(entry, 28), extra_bytes = Half(entry, 30);
  const size_t all = kEntryBytes + name_bytes + extra_bytes + Half(entry, 32);
  if (all > entry.size()) return Bad(file, "its directory is cut off");
  ZipMember member;
  member.name = absl::CHexEscape(entry.substr(kEntryBytes, name_bytes));
  const uint32_t method = Half(entry, 10);
  if ((Half(entry, 8) & 1) != 0) return Bad(file, absl::StrCat("'", member.name, "' is encrypted"));
  if (method != 0 && method != 8) {
    return Bad(file, absl::StrCat("'", member.name, "' is compressed by method ", method,
                                  "; allowed: none, deflate"));
  }
  member.deflated = method == 8;
  member.crc = Word(entry, 16);
  uint64_t stored = Word(entry, 20), content = Word(entry, 24), local = Word(entry, 42);
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!TakeZip64(entry.substr(kEntryBytes + name_bytes, extra_bytes), &content, &stored, &local) ||
      stored > kMax || content > kMax || (!member.deflated && stored != content)) {
    return Bad(file, absl::StrCat("the sizes of '", member.name, "' are damaged"));
  }
  member.stored_bytes = static_cast<int64_t>(stored);
  member.content_bytes = static_cast<int64_t>(content);
  QUANTRY_ASSIGN_OR_RETURN(member.offset, DataOffset(file, member, local));
  directory->remove_prefix(all);
  return member;
}

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

}  // namespace

absl::StatusOr<std::vector<ZipMember>> IndexZip(const RandomAccessFile& file) {
  if (file.size() < kEndBytes) return Bad(file, "it is too short");
  QUANTRY_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  const auto size = static_cast<uint64_t>(file.size());
  if (directory.offset > size || directory.bytes > size - directory.offset ||
      directory.bytes > static_cast<uint64_t>(kMaxDirectoryBytes) ||
      directory.members > static_cast<uint64_t>(kMaxMembers)) {
    return Bad(file, absl::StrCat("its directory is damaged or too large; allowed: up to ",
                                  kMaxMembers, " members"));
  }
  QUANTRY_ASSIGN_OR_RETURN(
      const std::string bytes,
      file.Read(static_cast<int64_t>(directory.offset), static_cast<int64_t>(directory.bytes)));
  absl::string_view rest = bytes;
  std::vector<ZipMember> members;
  std::set<std::string> names;
  for (uint64_t i = 0; i < directory.members; ++i) {
    QUANTRY_ASSIGN_OR_RETURN(ZipMember member, TakeEntry(file, &rest));
    if (!names.insert(member.name).second) {
      return Bad(file, absl::StrCat("'", member.name, "' is there twice"));
    }
    members.push_back(std::move(member));
  }
  return members;
}

absl::StatusOr<std::string> InflateMember(const RandomAccessFile& file, const ZipMember& member,
                                          int64_t max_bytes) {
  const std::string what = absl::StrCat(file.path().string(), ", '", member.name, "'");
  if (member.content_bytes > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, " has ", member.content_bytes, " bytes; compressed ones may have up to ",
                     max_bytes, "; store it uncompressed (numpy.savez)"));
  }
  const auto damaged = [&what](absl::string_view why) {
    return absl::DataLossError(absl::StrCat(what, ": the compressed data is damaged: ", why));
  };
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return absl::InternalError("zlib does not start");
  const std::unique_ptr<z_stream, InflateEnd> end(&stream);
  std::string content;
  std::vector<char> chunk(kChunk);
  int64_t read = 0;
  int code = Z_OK;
  while (code == Z_OK) {
    const int64_t piece = std::min(kChunk, member.stored_bytes - read);
    if (piece == 0) return damaged("it ends too early");
    QUANTRY_ASSIGN_OR_RETURN(std::string input, file.Read(member.offset + read, piece));
    read += piece;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(piece);
    do {
      stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
      stream.avail_out = static_cast<uInt>(kChunk);
      code = inflate(&stream, Z_NO_FLUSH);
      content.append(chunk.data(), static_cast<size_t>(kChunk) - stream.avail_out);
      if (static_cast<int64_t>(content.size()) > member.content_bytes) return damaged("too long");
    } while (code == Z_OK && stream.avail_out == 0);
    if (code == Z_BUF_ERROR) code = Z_OK;  // it only wants more input
  }
  if (code != Z_STREAM_END) return damaged(stream.msg == nullptr ? "unknown" : stream.msg);
  if (static_cast<int64_t>(content.size()) != member.content_bytes) return damaged("too short");
  const uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
  if (crc != member.crc) return damaged("its checksum is another");
  return content;
}

}  // namespace quantry::engine
