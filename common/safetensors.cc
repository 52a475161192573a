#include "common/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

using Json = nlohmann::json;

constexpr size_t kPrefix = 8;
constexpr uint64_t kMaxHeader = uint64_t{16} << 20;
constexpr size_t kMaxRank = 16;
constexpr size_t kMaxMessageBytes = 120;
constexpr absl::string_view kMetadata = "__metadata__";

constexpr std::pair<absl::string_view, int64_t> kElementBytes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
    {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
    {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};

struct Span {
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct Placed {
  SafetensorsEntry entry;
  Span span;
};

absl::Status Bad(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not a sound safetensors file: ", why));
}

std::string Quoted(absl::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kMaxMessageBytes)),
                      name.size() > kMaxMessageBytes ? "..." : "", "'");
}

uint64_t HeaderSize(absl::string_view file) {
  uint64_t size = 0;
  for (size_t i = kPrefix; i-- > 0;) size = size << 8 | static_cast<unsigned char>(file[i]);
  return size;
}

// Refuses what JSON parsers pass over in silence: a name given twice; and nesting, so that a small
// file can't become a deep tree.
absl::StatusOr<Json> ParseHeader(absl::string_view text) {
  constexpr int kDeepest = 2;  // the header, a tensor's object, its lists
  std::set<std::string> names;
  std::string twice;
  bool too_deep = false;
  const Json::parser_callback_t look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth > kDeepest) {
      too_deep = true;
      return false;
    }
    if (event == Json::parse_event_t::key && depth == 1) {
      const std::string& name = parsed.get_ref<const std::string&>();
      if (!names.insert(name).second) twice = name;
    }
    return true;
  };
  Json header = Json::parse(text.begin(), text.end(), look, /*allow_exceptions=*/false);
  if (too_deep) return Bad("its header is nested too deep");
  if (!header.is_object()) return Bad("its header is not a JSON object");
  if (!twice.empty()) return Bad(absl::StrCat("tensor ", Quoted(twice), " is there twice"));
  return header;
}

absl::StatusOr<int64_t> BytesOf(const std::string& dtype, const std::vector<int64_t>& shape) {
  const auto* known = std::find_if(std::begin(kElementBytes), std::end(kElementBytes),
                                   [&](const auto& row) { return row.first == dtype; });
  if (known == std::end(kElementBytes)) {
    return absl::InvalidArgumentError(absl::StrCat("its dtype ", Quoted(dtype), " is unknown"));
  }
  int64_t bytes = known->second;
  // A dimension of 0 must not hide others that overflow.
  for (const int64_t dim : shape) {
    if (dim != 0 && __builtin_mul_overflow(bytes, dim, &bytes)) {
      return absl::InvalidArgumentError("the product of its dimensions overflows");
    }
  }
  return std::find(shape.begin(), shape.end(), 0) == shape.end() ? bytes : 0;
}

absl::StatusOr<std::vector<int64_t>> ReadShape(const Json& json) {
  if (!json.is_array() || json.size() > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("its shape is not a list of at most ", kMaxRank, " dimensions"));
  }
  std::vector<int64_t> shape;
  for (const Json& dim : json) {
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > uint64_t{1} << 62) {
      return absl::InvalidArgumentError("a dimension is not an integer from 0 to 2^62");
    }
    shape.push_back(static_cast<int64_t>(dim.get<uint64_t>()));
  }
  return shape;
}

absl::StatusOr<Span> ReadSpan(const Json& json, uint64_t data_size) {
  if (!json.is_array() || json.size() != 2 || !json[0].is_number_unsigned() ||
      !json[1].is_number_unsigned()) {
    return absl::InvalidArgumentError("its data_offsets are not two integers, 0 or more");
  }
  const Span span{json[0].get<uint64_t>(), json[1].get<uint64_t>()};
  if (span.begin > span.end || span.end > data_size) {
    return absl::InvalidArgumentError(absl::StrCat("its data_offsets [", span.begin, ", ", span.end,
                                                   "] leave the ", data_size, " bytes of data"));
  }
  return span;
}

absl::StatusOr<Placed> ReadEntry(const std::string& name, const Json& json,
                                 absl::string_view data) {
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets") || !json["dtype"].is_string()) {
    return absl::InvalidArgumentError("it has not just dtype, shape and data_offsets");
  }
  Placed placed;
  placed.entry.name = name;
  placed.entry.dtype = json["dtype"].get<std::string>();
  QUANTRY_ASSIGN_OR_RETURN(placed.entry.shape, ReadShape(json["shape"]));
  QUANTRY_ASSIGN_OR_RETURN(placed.span, ReadSpan(json["data_offsets"], data.size()));
  QUANTRY_ASSIGN_OR_RETURN(const int64_t wanted, BytesOf(placed.entry.dtype, placed.entry.shape));
  const uint64_t given = placed.span.end - placed.span.begin;
  if (given != static_cast<uint64_t>(wanted)) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", given, " bytes, but its shape and dtype ask for ", wanted));
  }
  placed.entry.bytes = data.substr(placed.span.begin, given);
  return placed;
}

// The data must be covered once, without gaps: nothing hides in the file.
absl::Status CheckCover(const std::vector<Placed>& sorted, uint64_t data_size) {
  uint64_t end = 0;
  for (const Placed& placed : sorted) {
    if (placed.span.begin < end) {
      return Bad(absl::StrCat("tensor ", Quoted(placed.entry.name), " overlaps another"));
    }
    if (placed.span.begin > end) {
      return Bad(absl::StrCat("bytes ", end, " to ", placed.span.begin, " belong to no tensor"));
    }
    end = placed.span.end;
  }
  if (end == data_size) return absl::OkStatus();
  return Bad(absl::StrCat("its tensors end at byte ", end, " of ", data_size, " bytes of data"));
}

}  // namespace

bool LooksLikeSafetensors(absl::string_view head) {
  return head.size() > kPrefix && head[kPrefix] == '{' && HeaderSize(head) >= 2;
}

absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensors(absl::string_view file) {
  if (file.size() < kPrefix) return Bad(absl::StrCat("it has only ", file.size(), " bytes"));
  const uint64_t size = HeaderSize(file);
  if (size > kMaxHeader) {
    return Bad(absl::StrCat("its header has ", size, " bytes; allowed: at most ", kMaxHeader));
  }
  if (size > file.size() - kPrefix) {
    return Bad(absl::StrCat("its header has ", size, " bytes, but only ", file.size() - kPrefix,
                            " follow"));
  }
  QUANTRY_ASSIGN_OR_RETURN(const Json header, ParseHeader(file.substr(kPrefix, size)));
  const absl::string_view data = file.substr(kPrefix + size);
  std::vector<Placed> all;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) continue;
    absl::StatusOr<Placed> placed = ReadEntry(name, json, data);
    if (!placed.ok()) {
      return Bad(absl::StrCat("tensor ", Quoted(name), ": ", placed.status().message()));
    }
    all.push_back(*std::move(placed));
  }
  std::sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.span.begin, a.span.end) < std::pair(b.span.begin, b.span.end);
  });
  QUANTRY_RETURN_IF_ERROR(CheckCover(all, data.size()));
  std::vector<SafetensorsEntry> entries;
  entries.reserve(all.size());
  for (Placed& placed : all) entries.push_back(std::move(placed.entry));
  return entries;
}

}  // namespace quantry
