#include "worker/engine/data/remote/checksum_list.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/sha256.h"

namespace quantry::engine {
namespace {

constexpr size_t kDigits = 64;

}  // namespace

absl::StatusOr<ChecksumList> ParseChecksumList(absl::string_view text) {
  ChecksumList list;
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.empty()) continue;
    const std::string digits = absl::AsciiStrToLower(line.substr(0, kDigits));
    absl::string_view name = line.substr(digits.size());
    const bool separated = absl::ConsumePrefix(&name, "  ") || absl::ConsumePrefix(&name, " *");
    absl::ConsumePrefix(&name, "./");
    if (!IsSha256Hex(digits) || !separated || name.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number,
                       ": is not of the form that sha256sum writes: 64 hex digits, two spaces, "
                       "a name"));
    }
    if (!list.emplace(name, digits).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": '", name, "' is there already"));
    }
  }
  return list;
}

}  // namespace quantry::engine
