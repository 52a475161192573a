#include "worker/engine/script/archive.h"

#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/script/pickle_depth.h"

namespace quantry::engine {
namespace {

// Layout after PKWARE's APPNOTE 6.3: local header 4.3.7, directory 4.3.12, ends 4.3.14 to 4.3.16.
constexpr size_t kLocalBytes = 30;
constexpr size_t kEntryBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kLocatorBytes = 20;
constexpr size_t kWideEndBytes = 56;
constexpr size_t kMaxComment = 65535;
constexpr uint64_t kWide = 0xffffffff;  // the number stands in the zip64 field
constexpr uint64_t kStored = 0;
constexpr uint64_t kDeflated = 8;

struct Record {
  std::string name;
  uint64_t method = 0;
  uint64_t packed = 0;
  uint64_t unpacked = 0;
  uint64_t header = 0;  // where its local header is
};

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a sound TorchScript archive: ", what));
}

absl::Status TooMuch(absl::string_view what, uint64_t given, int64_t allowed) {
  return Bad(absl::StrCat(what, " ", given, "; at most ", allowed, " are allowed"));
}

uint64_t Number(absl::string_view bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size && at + i < bytes.size(); ++i) {
    number |= uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return number;
}

bool Within(absl::string_view bytes, uint64_t offset, uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

struct Directory {
  uint64_t records = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
};

absl::StatusOr<Directory> FindDirectory(absl::string_view bytes) {
  const size_t tail = std::min(bytes.size(), kEndBytes + kMaxComment);
  const size_t found = bytes.substr(bytes.size() - tail).rfind(absl::string_view("PK\x05\x06", 4));
  if (found == absl::string_view::npos || tail - found < kEndBytes) return Bad("it has no end");
  const size_t end = bytes.size() - tail + found;
  Directory directory{Number(bytes, end + 10, 2), Number(bytes, end + 16, 4),
                      Number(bytes, end + 12, 4)};
  const bool wide = end >= kLocatorBytes &&
                    bytes.substr(end - kLocatorBytes, 4) == absl::string_view("PK\x06\x07", 4);
  if (wide) {
    const uint64_t place = Number(bytes, end - kLocatorBytes + 8, 8);
    if (!Within(bytes, place, kWideEndBytes)) return Bad("its directory lies outside the file");
    directory = {Number(bytes, place + 32, 8), Number(bytes, place + 48, 8),
                 Number(bytes, place + 40, 8)};
  }
  if (!Within(bytes, directory.offset, directory.size)) {
    return Bad("its directory lies outside the file");
  }
  return directory;
}

// Numbers that do not fit into 32 bits stand in an extra field, in this order.
void ReadWideNumbers(absl::string_view extra, Record& record) {
  while (extra.size() >= 4) {
    const uint64_t size = Number(extra, 2, 2);
    if (Number(extra, 0, 2) == 1) {
      absl::string_view field = extra.substr(4, size);
      for (uint64_t* number : {&record.unpacked, &record.packed, &record.header}) {
        if (*number != kWide || field.size() < 8) continue;
        *number = Number(field, 0, 8);
        field.remove_prefix(8);
      }
      return;
    }
    extra.remove_prefix(std::min<size_t>(extra.size(), 4 + size));
  }
}

// Takes the next entry off `directory`.
absl::StatusOr<Record> TakeRecord(absl::string_view& directory) {
  if (directory.size() < kEntryBytes || !absl::StartsWith(directory, "PK\x01\x02")) {
    return Bad("its directory is cut short");
  }
  const uint64_t name = Number(directory, 28, 2);
  const uint64_t extra = Number(directory, 30, 2);
  const uint64_t whole = kEntryBytes + name + extra + Number(directory, 32, 2);
  if (directory.size() < whole) return Bad("its directory is cut short");
  Record record{std::string(directory.substr(kEntryBytes, name)), Number(directory, 10, 2),
                Number(directory, 20, 4), Number(directory, 24, 4), Number(directory, 42, 4)};
  ReadWideNumbers(directory.substr(kEntryBytes + name, extra), record);
  directory.remove_prefix(whole);
  return record;
}

// The record's bytes in the file, which must be there.
absl::StatusOr<absl::string_view> PackedBytes(absl::string_view bytes, const Record& record) {
  if (!Within(bytes, record.header, kLocalBytes)) return Bad("a record lies outside the file");
  const uint64_t start = record.header + kLocalBytes + Number(bytes, record.header + 26, 2) +
                         Number(bytes, record.header + 28, 2);
  if (!Within(bytes, start, record.packed)) return Bad("a record lies outside the file");
  return bytes.substr(start, record.packed);
}

absl::StatusOr<std::string> Unpack(absl::string_view packed, const Record& record) {
  if (record.method == kStored) return std::string(packed);
  std::string text(record.unpacked, '\0');
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return absl::ResourceExhaustedError("zlib");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const int outcome = inflate(&stream, Z_FINISH);
  const bool whole = outcome == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!whole) return Bad("a record does not unpack to its size");
  return text;
}

// Of brackets, wherever they stand: strings in programs have few.
int64_t BracketDepth(absl::string_view code) {
  int64_t depth = 0;
  int64_t deepest = 0;
  for (const char c : code) {
    if (c == '(' || c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ')' || c == ']' || c == '}') --depth;
  }
  return deepest;
}

absl::Status CheckText(absl::string_view bytes, const Record& record, const ArchiveLimits& limits) {
  // LibTorch finds a record whatever the case of its name.
  const bool pickle = absl::EndsWithIgnoreCase(record.name, "pkl");
  if (!pickle && !absl::EndsWithIgnoreCase(record.name, ".py")) return absl::OkStatus();
  const std::string name = absl::CHexEscape(record.name.substr(0, 120));
  if (record.unpacked > static_cast<uint64_t>(limits.max_text_bytes)) {
    return TooMuch(absl::StrCat("the size of '", name, "' is"), record.unpacked,
                   limits.max_text_bytes);
  }
  QUANTRY_ASSIGN_OR_RETURN(const absl::string_view packed, PackedBytes(bytes, record));
  QUANTRY_ASSIGN_OR_RETURN(const std::string text, Unpack(packed, record));
  int64_t depth = 0;
  if (pickle) {
    QUANTRY_ASSIGN_OR_RETURN(depth, PickleDepth(text));
  } else {
    depth = BracketDepth(text);
    if (absl::StrContains(text, "__setstate__")) {
      return Bad(absl::StrCat("'", name, "' has a method __setstate__, which would run while the ",
                              "file is read"));
    }
  }
  if (depth <= limits.max_nesting) return absl::OkStatus();
  return TooMuch(absl::StrCat("the nesting of '", name, "' is"), static_cast<uint64_t>(depth),
                 limits.max_nesting);
}

// Where a record is not as said, LibTorch would take memory for it.
absl::Status CheckForm(absl::string_view bytes, const Record& record) {
  if (record.method != kStored && record.method != kDeflated) {
    return Bad("a record is neither stored nor deflated");
  }
  if (record.method == kStored && record.packed != record.unpacked) {
    return Bad("a stored record has two sizes");
  }
  return PackedBytes(bytes, record).status();
}

// TorchScript files of today have their constants in a record of their own. What torch.save writes
// has none; files of PyTorch 1.0 have programs in records of any name, which nothing here looks at.
absl::Status CheckKind(const std::vector<Record>& records) {
  const auto has = [&](absl::string_view end) {
    return std::any_of(records.begin(), records.end(), [&](const Record& record) {
      return absl::EndsWithIgnoreCase(record.name, end);
    });
  };
  if (has("/model.json")) return Bad("PyTorch 1.0 wrote it; load and save it with a later one");
  if (has("/constants.pkl")) return absl::OkStatus();
  return Bad(
      "it has no program, as what torch.save writes; allowed: what torch.jit.save writes of a "
      "traced "
      "or scripted model, or the state_dict as safetensors where weights are wanted");
}

}  // namespace

absl::Status CheckTorchArchive(absl::string_view bytes, const ArchiveLimits& limits) {
  QUANTRY_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  if (directory.records > static_cast<uint64_t>(limits.max_records)) {
    return TooMuch("the number of its records is", directory.records, limits.max_records);
  }
  absl::string_view entries = bytes.substr(directory.offset, directory.size);
  uint64_t left = static_cast<uint64_t>(limits.max_unpacked_bytes);
  std::vector<Record> records;
  for (uint64_t i = 0; i < directory.records; ++i) {
    QUANTRY_ASSIGN_OR_RETURN(const Record record, TakeRecord(entries));
    QUANTRY_RETURN_IF_ERROR(CheckForm(bytes, record));
    if (record.unpacked > left) {
      return Bad(
          absl::StrCat("its records unpack to more than ", limits.max_unpacked_bytes, " bytes"));
    }
    left -= record.unpacked;
    records.push_back(record);
  }
  QUANTRY_RETURN_IF_ERROR(CheckKind(records));
  for (const Record& record : records) {
    QUANTRY_RETURN_IF_ERROR(CheckText(bytes, record, limits));
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
