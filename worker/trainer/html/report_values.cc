#include "worker/trainer/html/report_values.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quantry::trainer {

using Json = nlohmann::json;

const Json& ChildOf(const Json& object, const char* key) {
  static const Json& nothing = *new Json();
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::optional<double> NumberOf(const Json& object, const char* key) {
  const Json& value = ChildOf(object, key);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::string TextOf(const Json& object, const char* key) {
  const Json& value = ChildOf(object, key);
  if (value.is_null()) return "-";
  return value.is_string() ? value.get<std::string>() : "";
}

std::string ShareText(std::optional<double> share) {
  return share ? absl::StrFormat("%.2f %%", 100 * *share) : "-";
}

std::string PointsText(std::optional<double> difference) {
  if (!difference) return "-";
  const double points = 100 * *difference;
  return std::abs(points) < 0.005 ? "0.00" : absl::StrFormat("%+.2f", points);
}

std::string NumberText(std::optional<double> number) {
  return number ? absl::StrFormat("%.4g", *number) : "-";
}

std::string DecibelText(std::optional<double> decibel) {
  return decibel ? absl::StrFormat("%.1f dB", *decibel) : "-";
}

std::string CountText(std::optional<double> count) {
  if (!count) return "-";
  const std::string digits = absl::StrFormat("%.0f", *count);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    const bool boundary = i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-';
    if (boundary) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string SizeText(std::optional<double> bytes) {
  if (!bytes) return "-";
  if (*bytes < 1024) return absl::StrFormat("%.0f B", *bytes);
  if (*bytes < 1024 * 1024) return absl::StrFormat("%.1f KiB", *bytes / 1024);
  return absl::StrFormat("%.2f MiB", *bytes / (1024 * 1024));
}

std::string SecondsText(std::optional<double> seconds) {
  if (!seconds) return "-";
  if (*seconds < 60) return absl::StrFormat("%.1f s", *seconds);
  const auto whole = static_cast<int64_t>(std::min(*seconds, 1e15));
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

std::string ValueText(const Json& value) {
  if (value.is_null()) return "-";
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<double> Difference(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return std::nullopt;
  return *a - *b;
}

}  // namespace quantry::trainer
