#include "common/quant_config_read.h"

#include "common/nearest_name.h"
#include "common/quant_config.h"

namespace quantry {
namespace {

using Json = nlohmann::json;

constexpr double kMaxWindowSize = 1000000;
constexpr size_t kMostShown = 100;

bool IsText(const Json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}

}  // namespace

absl::Status QuantRefused(absl::string_view path, absl::string_view given,
                          absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("quant_config.", path, " is ", given, "; allowed: ", allowed));
}

std::string ShownJson(const Json& value) {
  if (value.is_array() || value.is_object()) return absl::StrCat("an ", value.type_name());
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kMostShown) text = absl::StrCat(text.substr(0, kMostShown), "...");
  return text;
}

absl::StatusOr<std::string> ReadQuantName(const QuantPlace& place, const Json& value) {
  if (!value.is_string()) return QuantRefused(place.path, ShownJson(value), place.allowed);
  const auto& name = value.get_ref<const std::string&>();
  const std::vector<absl::string_view> names = NamesOf(place.values);
  if (std::find(names.begin(), names.end(), name) != names.end()) return name;
  return QuantRefused(place.path, ShownJson(value),
                      absl::StrCat(place.allowed, DidYouMean(name, names)));
}

absl::StatusOr<std::vector<std::string>> ReadQuantNames(const QuantPlace& place,
                                                        const Json& value) {
  if (!value.is_array()) return QuantRefused(place.path, ShownJson(value), place.allowed);
  if (value.empty()) {
    return QuantRefused(place.path, "an empty list, with which nothing would be quantized",
                        place.allowed);
  }
  std::vector<std::string> names;
  for (const Json& item : value) {
    QUANTRY_ASSIGN_OR_RETURN(std::string name, ReadQuantName(place, item));
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> ReadQuantPatterns(const QuantPlace& place,
                                                           const Json& value) {
  const Json list = value.is_string() ? Json::array({value}) : value;
  if (!list.is_array()) return QuantRefused(place.path, ShownJson(value), place.allowed);
  std::vector<std::string> patterns;
  for (const Json& item : list) {
    if (!IsText(item)) {
      return QuantRefused(place.path, absl::StrCat("or holds ", ShownJson(item)), place.allowed);
    }
    patterns.push_back(item.get<std::string>());
  }
  return patterns;
}

absl::StatusOr<std::string> ReadQuantPattern(const QuantPlace& place, const Json& value) {
  if (!IsText(value)) return QuantRefused(place.path, ShownJson(value), place.allowed);
  const auto& text = value.get_ref<const std::string&>();
  if (text == "^" || text == "$" || text == "^$") {
    return QuantRefused(place.path, absl::StrCat(ShownJson(value), ", which names nothing"),
                        place.allowed);
  }
  return text;
}

absl::StatusOr<int> ReadQuantBits(const QuantPlace& place, const Json& value) {
  if (!value.is_number_integer()) {
    return QuantRefused(place.path, ShownJson(value), place.allowed);
  }
  const auto bits = value.get<double>();
  if (bits == 1) {
    return QuantRefused(place.path, "1, which leaves no integer but 0 (q = 2^(bits-1) - 1)",
                        place.allowed);
  }
  if (bits < kMinQuantBits || bits > kMaxQuantBits) {
    return QuantRefused(place.path, ShownJson(value), place.allowed);
  }
  return static_cast<int>(bits);
}

absl::StatusOr<int64_t> ReadQuantWindow(const QuantPlace& place, const Json& value) {
  if (!value.is_number_integer() || !(value.get<double>() >= 1) ||
      value.get<double>() > kMaxWindowSize) {
    return QuantRefused(place.path, ShownJson(value), place.allowed);
  }
  return value.get<int64_t>();
}

absl::StatusOr<double> ReadQuantRate(const QuantPlace& place, const Json& value) {
  // A number outside (0, 1), NaN included, fails this test.
  if (!value.is_number() || !(value.get<double>() > 0 && value.get<double>() < 1)) {
    return QuantRefused(place.path, ShownJson(value), place.allowed);
  }
  return value.get<double>();
}

absl::StatusOr<double> ReadQuantPercentile(const QuantPlace& place, const Json& value) {
  if (!value.is_number() || !(value.get<double>() > 50 && value.get<double>() <= 100)) {
    return QuantRefused(place.path, ShownJson(value), place.allowed);
  }
  return value.get<double>();
}

absl::StatusOr<bool> ReadQuantFlag(const QuantPlace& place, const Json& value) {
  if (!value.is_boolean()) return QuantRefused(place.path, ShownJson(value), place.allowed);
  return value.get<bool>();
}

}  // namespace quantry
