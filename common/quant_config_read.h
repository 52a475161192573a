#ifndef QUANTRY_COMMON_QUANT_CONFIG_READ_H_
#define QUANTRY_COMMON_QUANT_CONFIG_READ_H_

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/quant_values.h"
#include "common/status_macros.h"

namespace quantry {

// How the values of quant_config's keys are read from JSON and written back. Internal to the
// parser. Every error is INVALID_ARGUMENT and names key, given value and what is allowed.

// The value that is being read.
struct QuantPlace {
  std::string path;                     // "weight_bits", "overrides[2].weight_bits"
  std::string allowed;                  // for messages: "whole numbers from 2 to 16"
  absl::Span<const QuantValue> values;  // of keys whose values are names
};

// "quant_config.PATH is GIVEN; allowed: ALLOWED".
absl::Status QuantRefused(absl::string_view path, absl::string_view given,
                          absl::string_view allowed);

// The value for a message: as JSON, or its kind where that could be long.
std::string ShownJson(const nlohmann::json& value);

absl::StatusOr<std::string> ReadQuantName(const QuantPlace& place, const nlohmann::json& value);
absl::StatusOr<std::vector<std::string>> ReadQuantNames(const QuantPlace& place,
                                                        const nlohmann::json& value);
absl::StatusOr<std::vector<std::string>> ReadQuantPatterns(const QuantPlace& place,
                                                           const nlohmann::json& value);
absl::StatusOr<std::string> ReadQuantPattern(const QuantPlace& place, const nlohmann::json& value);
absl::StatusOr<int> ReadQuantBits(const QuantPlace& place, const nlohmann::json& value);
absl::StatusOr<int64_t> ReadQuantWindow(const QuantPlace& place, const nlohmann::json& value);
absl::StatusOr<double> ReadQuantRate(const QuantPlace& place, const nlohmann::json& value);
absl::StatusOr<double> ReadQuantPercentile(const QuantPlace& place, const nlohmann::json& value);
absl::StatusOr<bool> ReadQuantFlag(const QuantPlace& place, const nlohmann::json& value);

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

// Reads into one field of Owner (QuantConfig or QuantOverride); where the field is optional, null
// leaves it absent.
template <auto kField, auto kRead, typename Owner>
absl::Status ReadQuantInto(const QuantPlace& place, const nlohmann::json& value, Owner& owner) {
  if constexpr (IsOptional<std::remove_reference_t<decltype(owner.*kField)>>::value) {
    if (value.is_null()) {
      (owner.*kField).reset();
      return absl::OkStatus();
    }
  }
  QUANTRY_ASSIGN_OR_RETURN(owner.*kField, kRead(place, value));
  return absl::OkStatus();
}

// The field as JSON; absent is null.
template <auto kField, typename Owner>
nlohmann::ordered_json WriteQuantField(const Owner& owner) {
  const auto& field = owner.*kField;
  if constexpr (IsOptional<std::remove_cvref_t<decltype(field)>>::value) {
    return field ? nlohmann::ordered_json(*field) : nlohmann::ordered_json(nullptr);
  } else {
    return field;
  }
}

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_CONFIG_READ_H_
