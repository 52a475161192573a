#include "worker/engine/data/shard_names.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxShards = 100'000;
constexpr size_t kMaxDigits = 9;

bool IsNumber(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxDigits &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandBraces(absl::string_view pattern) {
  const size_t open = pattern.find('{');
  const size_t close = pattern.find('}');
  if (open == absl::string_view::npos && close == absl::string_view::npos) {
    return std::vector<std::string>{std::string(pattern)};
  }
  const auto bad = [pattern] {
    return absl::InvalidArgumentError(
        absl::StrCat("'", pattern, "': allowed is one range such as {000..127}, from the smaller ",
                     "to the larger number, of at most ", kMaxShards,
                     " shards; or give the folder that holds them"));
  };
  if (open > close || close == absl::string_view::npos) return bad();
  const absl::string_view before = pattern.substr(0, open);
  const absl::string_view after = pattern.substr(close + 1);
  const std::vector<absl::string_view> ends =
      absl::StrSplit(pattern.substr(open + 1, close - open - 1), "..");
  if (after.find_first_of("{}") != absl::string_view::npos || ends.size() != 2 ||
      !IsNumber(ends[0]) || !IsNumber(ends[1])) {
    return bad();
  }
  int64_t first = 0, last = 0;
  const bool are_numbers = absl::SimpleAtoi(ends[0], &first) && absl::SimpleAtoi(ends[1], &last);
  const bool is_padded = ends[0].size() > 1 && ends[0][0] == '0';
  if (!are_numbers || first > last || last - first >= kMaxShards ||
      (is_padded && ends[0].size() != ends[1].size())) {
    return bad();
  }
  std::vector<std::string> names;
  for (int64_t i = first; i <= last; ++i) {
    const std::string digits = absl::StrCat(i);
    const size_t zeros = is_padded ? ends[0].size() - digits.size() : 0;
    names.push_back(absl::StrCat(before, std::string(zeros, '0'), digits, after));
  }
  return names;
}

}  // namespace quantry::engine
