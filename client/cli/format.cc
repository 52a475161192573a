#include "client/cli/format.h"

#include <array>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quantry::client {

std::string FormatBytes(int64_t bytes) {
  constexpr std::array<absl::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  // 1023.95 and more would be written as "1024.0".
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) {
    i -= 3;
    digits.insert(i, 1, ',');
  }
  return digits;
}

std::string FormatElapsed(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return "-";
  const double exact = absl::ToDoubleSeconds(duration);
  if (!std::isfinite(exact)) return "-";
  if (exact < 9.95) return absl::StrFormat("%.1fs", exact);
  const auto seconds = static_cast<int64_t>(std::llround(exact));
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  const int64_t minutes = seconds / 60;
  if (minutes < 24 * 60) return absl::StrFormat("%dh%02dm", minutes / 60, minutes % 60);
  return absl::StrFormat("%dd%02dh", minutes / (24 * 60), minutes / 60 % 24);
}

std::string FormatShare(std::optional<double> share) {
  if (!share.has_value()) return "-";
  return absl::StrFormat("%.2f%%", 100 * *share);
}

std::string FormatNumber(std::optional<double> number) {
  if (!number.has_value()) return "-";
  return absl::StrFormat("%.4g", *number);
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string FormatDateTime(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", ToTime(time), absl::LocalTimeZone());
}

std::string FormatTimeOfDay(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%H:%M:%S", ToTime(time), absl::LocalTimeZone());
}

std::string SanitizeLine(absl::string_view text) {
  std::string line(absl::StripAsciiWhitespace(text));
  for (size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    // C1 control characters are 0xC2 0x80..0x9F in UTF-8.
    const bool c1 =
        byte == 0xC2 && i + 1 < line.size() && static_cast<unsigned char>(line[i + 1]) < 0xA0;
    if (absl::ascii_iscntrl(byte)) line[i] = ' ';
    if (c1) line[i] = line[i + 1] = ' ';
  }
  return line;
}

}  // namespace quantry::client
