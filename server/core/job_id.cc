#include "server/core/job_id.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr int kTimeDigits = 11;
constexpr uint64_t kRandomRange = 101'559'956'668'416;  // 36^9

// `value` in base 36, the lowest `digits` digits.
std::string Base36(uint64_t value, int digits) {
  constexpr absl::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string text(static_cast<size_t>(digits), '0');
  for (auto position = text.rbegin(); position != text.rend(); ++position) {
    *position = kDigits[value % 36];
    value /= 36;
  }
  return text;
}

bool IsLowerAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string JobIdGenerator::Next(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  last_microseconds_ = std::max(last_microseconds_ + 1, absl::ToUnixMicros(now));
  return absl::StrCat(Base36(static_cast<uint64_t>(last_microseconds_), kTimeDigits),
                      Base36(random_() % kRandomRange, kJobIdLength - kTimeDigits));
}

std::string JobName(absl::string_view id) { return absl::StrCat("jobs/", id); }

absl::StatusOr<std::string> ParseJobName(absl::string_view name, absl::string_view field) {
  const absl::string_view id = absl::StripPrefix(name, "jobs/");
  if (!absl::StartsWith(name, "jobs/") || id.size() != kJobIdLength ||
      !std::all_of(id.begin(), id.end(), IsLowerAlphanumeric)) {
    return BadRequestError(
        "INVALID_NAME",
        {{std::string(field),
          absl::StrCat("'", name.substr(0, 100), "' is no job name; it has the form jobs/ID, ID ",
                       kJobIdLength, " lower-case letters and digits")}});
  }
  return std::string(id);
}

std::string WorkerName(absl::string_view id) { return absl::StrCat("workers/", id); }

bool IsWorkerId(absl::string_view id) {
  return !id.empty() && id.size() <= 63 && std::all_of(id.begin(), id.end(), [](char c) {
    return IsLowerAlphanumeric(c) || c == '-';
  });
}

}  // namespace quantry::server
