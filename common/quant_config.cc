#include "common/quant_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

using Json = nlohmann::json;
using Names = absl::Span<const absl::string_view>;

constexpr size_t kMaxTextBytes = 64 << 10;
constexpr int64_t kDefaultWindowSize = 10000;
constexpr int64_t kMaxWindowSize = 1000000;
constexpr double kDefaultMovingRate = 0.9;
constexpr int kReferenceMaxBits = 16;

constexpr absl::string_view kWeightQuantizers[] = {"abs_max",       "channel_wise_abs_max",
                                                   "range_abs_max", "moving_average_abs_max",
                                                   "lsq_weight",    "channel_wise_lsq_weight"};
constexpr absl::string_view kActivationQuantizers[] = {"abs_max", "range_abs_max",
                                                       "moving_average_abs_max", "lsq_act"};
constexpr absl::string_view kPreprocessors[] = {"PACT"};
constexpr absl::string_view kLayerTypes[] = {"Conv2D", "Linear"};
constexpr absl::string_view kDtypes[] = {"int8"};
// Values of the reference that a later release brings.
constexpr absl::string_view kLaterLayerTypes[] = {"Conv2DTranspose"};

// The value for a message: as JSON, or its kind where that could be long.
std::string Shown(const Json& value) {
  if (value.is_array() || value.is_object()) return absl::StrCat("an ", value.type_name());
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 100) text = absl::StrCat(text.substr(0, 100), "...");
  return text;
}

absl::Status Refused(absl::string_view key, absl::string_view given, absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("quant_config.", key, " is ", given, "; allowed: ", allowed));
}

std::string Listed(Names names) {
  return absl::StrJoin(names, ", ", [](std::string* out, absl::string_view name) {
    absl::StrAppend(out, "\"", name, "\"");
  });
}

bool Contains(Names names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::StatusOr<std::string> ReadName(absl::string_view key, const Json& value, Names allowed,
                                     Names later) {
  if (!value.is_string()) return Refused(key, Shown(value), Listed(allowed));
  const auto& name = value.get_ref<const std::string&>();
  if (Contains(allowed, name)) return name;
  if (Contains(later, name)) {
    return Refused(key, absl::StrCat(Shown(value), ", which comes with a later release"),
                   Listed(allowed));
  }
  return Refused(key, Shown(value), absl::StrCat(Listed(allowed), DidYouMean(name, allowed)));
}

absl::Status ReadPreprocess(absl::string_view key, const Json& value,
                            std::optional<std::string>& field) {
  field.reset();
  if (value.is_null()) return absl::OkStatus();
  if (value.is_string() && value.get_ref<const std::string&>() == "PACT") {
    field = "PACT";
    return absl::OkStatus();
  }
  return Refused(key, Shown(value), "null, \"PACT\"");
}

absl::Status ReadBits(absl::string_view key, const Json& value, int& field) {
  const std::string allowed =
      absl::StrCat("whole numbers from ", kMinQuantBits, " to ", kMaxQuantBits);
  if (!value.is_number_integer()) return Refused(key, Shown(value), allowed);
  const auto bits = value.get<double>();
  if (bits == 1) {
    return Refused(key, "1, which leaves no integer but 0 (q = 2^(bits-1) - 1)", allowed);
  }
  if (bits > kMaxQuantBits && bits <= kReferenceMaxBits) {
    return Refused(key, absl::StrCat(Shown(value), ", which comes with a later release"), allowed);
  }
  if (bits < kMinQuantBits || bits > kMaxQuantBits) return Refused(key, Shown(value), allowed);
  field = static_cast<int>(bits);
  return absl::OkStatus();
}

absl::Status ReadWindowSize(absl::string_view key, const Json& value, int64_t& field) {
  if (!value.is_number_integer() || !(value.get<double>() >= 1) ||
      value.get<double>() > static_cast<double>(kMaxWindowSize)) {
    return Refused(key, Shown(value), absl::StrCat("whole numbers from 1 to ", kMaxWindowSize));
  }
  field = value.get<int64_t>();
  return absl::OkStatus();
}

absl::Status ReadMovingRate(absl::string_view key, const Json& value, double& field) {
  // A number outside (0, 1), NaN included, fails this test.
  if (!value.is_number() || !(value.get<double>() > 0 && value.get<double>() < 1)) {
    return Refused(key, Shown(value), "numbers above 0 and below 1");
  }
  field = value.get<double>();
  return absl::OkStatus();
}

absl::Status ReadLayerTypes(absl::string_view key, const Json& value,
                            std::vector<std::string>& field) {
  const std::string allowed = absl::StrCat("a list of ", Listed(kLayerTypes));
  if (!value.is_array()) return Refused(key, Shown(value), allowed);
  if (value.empty()) {
    return Refused(key, "an empty list, with which nothing would be quantized", allowed);
  }
  field.clear();
  for (const Json& item : value) {
    QUANTRY_ASSIGN_OR_RETURN(std::string name, ReadName(key, item, kLayerTypes, kLaterLayerTypes));
    if (std::find(field.begin(), field.end(), name) == field.end()) {
      field.push_back(std::move(name));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadPatterns(absl::string_view key, const Json& value,
                          std::vector<std::string>& field) {
  constexpr absl::string_view kAllowed = "a text that is not empty, or a list of such";
  const Json list = value.is_string() ? Json::array({value}) : value;
  if (!list.is_array()) return Refused(key, Shown(value), kAllowed);
  field.clear();
  for (const Json& item : list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty()) {
      return Refused(key, absl::StrCat("or holds ", Shown(item)), kAllowed);
    }
    field.push_back(item.get<std::string>());
  }
  return absl::OkStatus();
}

// One key of the config: how its value is read.
struct Key {
  absl::string_view name;
  absl::Status (*read)(absl::string_view key, const Json& value, QuantConfig& config);
};

template <std::string QuantConfig::*kField, const auto& kAllowed>
absl::Status ReadNameInto(absl::string_view key, const Json& value, QuantConfig& config) {
  QUANTRY_ASSIGN_OR_RETURN(config.*kField, ReadName(key, value, kAllowed, {}));
  return absl::OkStatus();
}

template <auto kField, auto kRead>
absl::Status ReadInto(absl::string_view key, const Json& value, QuantConfig& config) {
  return kRead(key, value, config.*kField);
}

absl::Status ReadDtype(absl::string_view key, const Json& value, QuantConfig& config) {
  QUANTRY_ASSIGN_OR_RETURN(config.dtype, ReadName(key, value, kDtypes, {}));
  return absl::OkStatus();
}

absl::Status ReadFuseConvBn(absl::string_view key, const Json& value, QuantConfig& config) {
  if (!value.is_boolean()) return Refused(key, Shown(value), "true, false");
  config.fuse_conv_bn = value.get<bool>();
  return absl::OkStatus();
}

constexpr Key kKeys[] = {
    {"weight_preprocess_type", ReadInto<&QuantConfig::weight_preprocess_type, ReadPreprocess>},
    {"activation_preprocess_type",
     ReadInto<&QuantConfig::activation_preprocess_type, ReadPreprocess>},
    {"weight_quantize_type", ReadNameInto<&QuantConfig::weight_quantize_type, kWeightQuantizers>},
    {"activation_quantize_type",
     ReadNameInto<&QuantConfig::activation_quantize_type, kActivationQuantizers>},
    {"weight_bits", ReadInto<&QuantConfig::weight_bits, ReadBits>},
    {"activation_bits", ReadInto<&QuantConfig::activation_bits, ReadBits>},
    {"dtype", ReadDtype},
    {"window_size", ReadInto<&QuantConfig::window_size, ReadWindowSize>},
    {"moving_rate", ReadInto<&QuantConfig::moving_rate, ReadMovingRate>},
    {"quantizable_layer_type", ReadInto<&QuantConfig::quantizable_layer_type, ReadLayerTypes>},
    {"fuse_conv_bn", ReadFuseConvBn},
    {"not_quant_pattern", ReadInto<&QuantConfig::not_quant_pattern, ReadPatterns>},
};

// JSON text as an object, with the first repeated key, if any, refused.
absl::StatusOr<Json> ParseObject(absl::string_view text) {
  std::set<std::string> seen;
  std::optional<std::string> repeated;
  const Json::parser_callback_t note_keys = [&](int depth, Json::parse_event_t event,
                                                Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 &&
        !seen.insert(parsed.get<std::string>()).second && !repeated) {
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
        absl::StrCat("quant_config has the key \"", *repeated, "\" more than once"));
  }
  return object;
}

absl::Status UnknownKey(absl::string_view given) {
  std::vector<absl::string_view> names;
  for (const Key& key : kKeys) names.push_back(key.name);
  return absl::InvalidArgumentError(absl::StrCat("quant_config has no key \"", given.substr(0, 100),
                                                 "\"", DidYouMean(given, names),
                                                 " Known keys: ", absl::StrJoin(names, ", ")));
}

bool Uses(const QuantConfig& config, absl::string_view quantizer) {
  return config.weight_quantize_type == quantizer || config.activation_quantize_type == quantizer;
}

// An option that only one quantizer looks at, changed without that quantizer.
absl::Status WithoutEffect(absl::string_view key, double value, absl::string_view quantizer,
                           double allowed) {
  return Refused(
      key,
      absl::StrCat(value, ", but neither weight_quantize_type nor activation_quantize_type is \"",
                   quantizer, "\", the only one that looks at it"),
      absl::StrCat(allowed, " (the default)"));
}

absl::Status CheckPact(absl::string_view preprocess_key,
                       const std::optional<std::string>& preprocess, absl::string_view type_key,
                       absl::string_view type) {
  if (!preprocess || !absl::StrContains(type, "lsq")) return absl::OkStatus();
  return Refused(preprocess_key,
                 absl::StrCat("\"PACT\" while ", type_key, " is \"", type,
                              "\", which learns its range itself"),
                 absl::StrCat("null, or another ", type_key));
}

// What no single key can tell.
absl::Status CheckCombinations(const QuantConfig& config) {
  if (config.moving_rate != kDefaultMovingRate && !Uses(config, "moving_average_abs_max")) {
    return WithoutEffect("moving_rate", config.moving_rate, "moving_average_abs_max",
                         kDefaultMovingRate);
  }
  if (config.window_size != kDefaultWindowSize && !Uses(config, "range_abs_max")) {
    return WithoutEffect("window_size", static_cast<double>(config.window_size), "range_abs_max",
                         kDefaultWindowSize);
  }
  QUANTRY_RETURN_IF_ERROR(CheckPact("weight_preprocess_type", config.weight_preprocess_type,
                                    "weight_quantize_type", config.weight_quantize_type));
  return CheckPact("activation_preprocess_type", config.activation_preprocess_type,
                   "activation_quantize_type", config.activation_quantize_type);
}

}  // namespace

Names SupportedWeightQuantizers() { return kWeightQuantizers; }
Names SupportedActivationQuantizers() { return kActivationQuantizers; }
Names SupportedPreprocessors() { return kPreprocessors; }
Names SupportedLayerTypes() { return kLayerTypes; }

absl::StatusOr<QuantConfig> ParseQuantConfig(absl::string_view json) {
  QuantConfig config;
  if (absl::StripAsciiWhitespace(json).empty()) return config;
  if (json.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("quant_config has ", json.size(), " bytes; allowed: up to ", kMaxTextBytes));
  }
  QUANTRY_ASSIGN_OR_RETURN(const Json object, ParseObject(json));
  for (const auto& [name, value] : object.items()) {
    const auto* key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                   [&](const Key& candidate) { return candidate.name == name; });
    if (key == std::end(kKeys)) return UnknownKey(name);
    QUANTRY_RETURN_IF_ERROR(key->read(key->name, value, config));
  }
  QUANTRY_RETURN_IF_ERROR(CheckCombinations(config));
  return config;
}

std::string QuantConfigToJson(const QuantConfig& config) {
  const auto nullable = [](const std::optional<std::string>& text) {
    return text ? nlohmann::ordered_json(*text) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json json;
  json["weight_preprocess_type"] = nullable(config.weight_preprocess_type);
  json["activation_preprocess_type"] = nullable(config.activation_preprocess_type);
  json["weight_quantize_type"] = config.weight_quantize_type;
  json["activation_quantize_type"] = config.activation_quantize_type;
  json["weight_bits"] = config.weight_bits;
  json["activation_bits"] = config.activation_bits;
  json["dtype"] = config.dtype;
  json["window_size"] = config.window_size;
  json["moving_rate"] = config.moving_rate;
  json["quantizable_layer_type"] = config.quantizable_layer_type;
  json["fuse_conv_bn"] = config.fuse_conv_bn;
  json["not_quant_pattern"] = config.not_quant_pattern;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace quantry
