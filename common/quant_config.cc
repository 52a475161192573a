#include "common/quant_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/quant_config_keys.h"
#include "common/quant_config_rules.h"
#include "common/quant_values.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

using Json = nlohmann::json;
using Names = absl::Span<const absl::string_view>;

constexpr size_t kMaxTextBytes = 64 << 10;

// JSON text as an object, with the first repeated key, in any object of it, refused.
absl::StatusOr<Json> ParseObject(absl::string_view text) {
  std::vector<std::set<std::string>> open;  // keys seen in each object that is being read
  std::optional<std::string> repeated;
  const Json::parser_callback_t note_keys = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key &&
        !open.back().insert(parsed.get<std::string>()).second && !repeated) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  Json object = Json::parse(text.begin(), text.end(), note_keys, /*allow_exceptions=*/false);
  if (object.is_discarded()) {
    return absl::InvalidArgumentError(
        "quant_config is no valid JSON; expected one object, e.g. {\"weight_bits\": 8} (names and "
        "texts in double quotes, null, true and false in lower case)");
  }
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("quant_config is a JSON ", object.type_name(), "; expected an object"));
  }
  if (repeated) {
    return absl::InvalidArgumentError(
        absl::StrCat("quant_config has the key \"", repeated->substr(0, 100), "\" more than once"));
  }
  return object;
}

}  // namespace

Names SupportedWeightQuantizers() {
  static const auto* const names = new auto(NamesOf(quant_values::WeightQuantizers()));
  return *names;
}
Names SupportedActivationQuantizers() {
  static const auto* const names = new auto(NamesOf(quant_values::ActivationQuantizers()));
  return *names;
}
Names SupportedPreprocessors() {
  static const auto* const names = new auto(NamesOf(quant_values::Preprocessors()));
  return *names;
}
Names SupportedLayerTypes() {
  static const auto* const names = new auto(NamesOf(quant_values::LayerTypes()));
  return *names;
}
Names SupportedProfiles() {
  static const auto* const names = new auto(NamesOf(quant_values::Profiles()));
  return *names;
}
Names SupportedCalibrators() {
  static const auto* const names = new auto(NamesOf(quant_values::Calibrators()));
  return *names;
}
Names SupportedWeightDtypes() {
  static const auto* const names = new auto(NamesOf(quant_values::WeightDtypes()));
  return *names;
}
Names SupportedActivationDtypes() {
  static const auto* const names = new auto(NamesOf(quant_values::ActivationDtypes()));
  return *names;
}
Names SupportedPactSettings() {
  static const auto* const names = new auto(NamesOf(quant_values::PactSettings()));
  return *names;
}

absl::StatusOr<QuantConfig> ParseQuantConfig(absl::string_view json) {
  QuantConfig config;
  if (absl::StripAsciiWhitespace(json).empty()) return config;
  if (json.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("quant_config has ", json.size(), " bytes; allowed: up to ", kMaxTextBytes));
  }
  QUANTRY_ASSIGN_OR_RETURN(const Json object, ParseObject(json));
  QUANTRY_RETURN_IF_ERROR(ReadQuantObject(object, "", config));
  QUANTRY_RETURN_IF_ERROR(CheckQuantCombinations(config));
  return config;
}

std::string QuantConfigToJson(const QuantConfig& config) {
  nlohmann::ordered_json json;
  for (const QuantKey<QuantConfig>& key : QuantConfigKeys()) {
    json[std::string(key.name)] = key.write(config);
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace quantry
