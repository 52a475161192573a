#include "worker/engine/data/npy_header.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxAxes = 16;

absl::Status Bad(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not a sound .npy array: ", why));
}

struct TypeName {
  absl::string_view descr;
  c10::ScalarType dtype;
};
constexpr TypeName kTypes[] = {
    {"<f4", c10::ScalarType::Float},  {"<f2", c10::ScalarType::Half},
    {"<f8", c10::ScalarType::Double}, {"|u1", c10::ScalarType::Byte},
    {"|i1", c10::ScalarType::Char},   {"<i2", c10::ScalarType::Short},
    {"<i4", c10::ScalarType::Int},    {"<i8", c10::ScalarType::Long},
    {"|b1", c10::ScalarType::Bool},
};

absl::StatusOr<c10::ScalarType> TypeOf(absl::string_view descr) {
  for (const TypeName& type : kTypes) {
    if (type.descr == descr) return type.dtype;
  }
  return Bad(absl::StrCat("its type is '", absl::CHexEscape(descr.substr(0, 40)),
                          "'; allowed: bool, uint8, int8 to int64, float16 to float64, all "
                          "little-endian; convert it with astype"));
}

// What is left of the dictionary's text, a Python literal.
class Cursor {
 public:
  explicit Cursor(absl::string_view text) : rest_(text) {}

  bool Take(absl::string_view token) {
    SkipSpace();
    return absl::ConsumePrefix(&rest_, token);
  }
  bool AtEnd() {
    SkipSpace();
    return rest_.empty();
  }
  // A string in single or double quotes, without escapes.
  std::optional<absl::string_view> TakeString() {
    SkipSpace();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return std::nullopt;
    const size_t end = rest_.find(rest_[0], 1);
    if (end == absl::string_view::npos) return std::nullopt;
    const absl::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }
  std::optional<int64_t> TakeNumber() {
    SkipSpace();
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), absl::ascii_isdigit);
    const absl::string_view digits = rest_.substr(0, end - rest_.begin());
    int64_t value = 0;
    if (!absl::SimpleAtoi(digits, &value)) return std::nullopt;
    rest_.remove_prefix(digits.size());
    absl::ConsumePrefix(&rest_, "L");  // as Python 2 wrote it
    return value;
  }

 private:
  void SkipSpace() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }

  absl::string_view rest_;
};

absl::StatusOr<std::vector<int64_t>> ReadShape(Cursor& cursor) {
  std::vector<int64_t> shape;
  if (!cursor.Take("(")) return Bad("its shape is no tuple");
  while (!cursor.Take(")")) {
    const std::optional<int64_t> length = cursor.TakeNumber();
    if (!length || shape.size() == kMaxAxes) {
      return Bad(absl::StrCat("its shape is no tuple of at most ", kMaxAxes, " whole numbers"));
    }
    shape.push_back(*length);
    if (cursor.Take(",")) continue;
    if (!cursor.Take(")")) return Bad("its shape is no tuple");
    break;
  }
  return shape;
}

struct Fields {
  std::string descr;  // empty: not there
  std::optional<bool> fortran;
  std::optional<std::vector<int64_t>> shape;
};

absl::Status ReadField(Cursor& cursor, Fields& fields) {
  const std::optional<absl::string_view> key = cursor.TakeString();
  if (!key || !cursor.Take(":")) return Bad("its header is no dictionary");
  if (*key == "descr" && fields.descr.empty()) {
    const std::optional<absl::string_view> descr = cursor.TakeString();
    if (!descr || descr->empty())
      return Bad("its elements are structures; store each field as an array");
    fields.descr = std::string(*descr);
    return absl::OkStatus();
  }
  if (*key == "fortran_order" && !fields.fortran) {
    fields.fortran = cursor.Take("True");
    if (*fields.fortran || cursor.Take("False")) return absl::OkStatus();
    return Bad("its fortran_order is neither True nor False");
  }
  if (*key == "shape" && !fields.shape) {
    QUANTRY_ASSIGN_OR_RETURN(fields.shape, ReadShape(cursor));
    return absl::OkStatus();
  }
  return Bad(absl::StrCat("its header has a key '", absl::CHexEscape(key->substr(0, 40)),
                          "' that is unknown or there twice"));
}

absl::StatusOr<Fields> ReadFields(absl::string_view text) {
  Cursor cursor(text);
  Fields fields;
  if (!cursor.Take("{")) return Bad("its header is no dictionary");
  while (!cursor.Take("}")) {
    QUANTRY_RETURN_IF_ERROR(ReadField(cursor, fields));
    if (cursor.Take(",")) continue;
    if (!cursor.Take("}")) return Bad("its header is no dictionary");
    break;
  }
  if (!cursor.AtEnd()) return Bad("something follows the dictionary of its header");
  if (!fields.descr.empty() && fields.fortran && fields.shape) return fields;
  return Bad("its header lacks descr, fortran_order or shape");
}

absl::StatusOr<int64_t> BytesOf(c10::ScalarType dtype, const std::vector<int64_t>& shape) {
  auto bytes = static_cast<int64_t>(c10::elementSize(dtype));
  for (const int64_t length : shape) {
    // A length of 0 must not hide others that overflow.
    if (length != 0 && __builtin_mul_overflow(bytes, length, &bytes)) {
      return Bad("the product of its shape overflows");
    }
  }
  return std::find(shape.begin(), shape.end(), 0) == shape.end() ? bytes : 0;
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view head) {
  if (head.size() < 10 || !absl::StartsWith(head, kMagic)) {
    return Bad("it does not begin as one");
  }
  const int version = static_cast<uint8_t>(head[6]);
  if (version < 1 || version > 3) return Bad(absl::StrCat("its version ", version, " is unknown"));
  const size_t length_bytes = version == 1 ? 2 : 4;
  const size_t start = 8 + length_bytes;
  if (head.size() < start) return Bad("it ends within its header");
  uint64_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | static_cast<uint8_t>(head[8 + i]);
  if (length + start > static_cast<uint64_t>(kMaxNpyHeaderBytes)) {
    return Bad(absl::StrCat("its header has ", length, " bytes; allowed: at most ",
                            kMaxNpyHeaderBytes - static_cast<int64_t>(start)));
  }
  if (length > head.size() - start) return Bad("it ends within its header");
  QUANTRY_ASSIGN_OR_RETURN(const Fields fields, ReadFields(head.substr(start, length)));
  NpyHeader header;
  QUANTRY_ASSIGN_OR_RETURN(header.dtype, TypeOf(fields.descr));
  header.shape = *fields.shape;
  // With fewer than two axes both orders are one.
  if (*fields.fortran && header.shape.size() > 1) {
    return Bad("it is in Fortran order; store it with numpy.ascontiguousarray");
  }
  QUANTRY_ASSIGN_OR_RETURN(header.data_bytes, BytesOf(header.dtype, header.shape));
  header.data_offset = static_cast<int64_t>(start + length);
  return header;
}

}  // namespace quantry::engine
