#include "common/quant_config_rules.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/quant_config_read.h"
#include "common/quant_profile.h"
#include "common/quant_values.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

constexpr int kByteBits = 8;

// A value that takes effect somewhere, and the key that sets it.
template <typename T>
struct Setting {
  T value;
  std::string path;
};

// All values of the keys that overrides and first_last_bits may change: the general ones first.
struct Settings {
  std::vector<Setting<int>> weight_bits;
  std::vector<Setting<int>> activation_bits;
  std::vector<Setting<std::string>> weight_types;
  std::vector<Setting<std::string>> activation_types;
};

Settings SettingsOf(const QuantConfig& config) {
  Settings all;
  all.weight_bits.push_back({config.weight_bits, "weight_bits"});
  all.activation_bits.push_back({config.activation_bits, "activation_bits"});
  all.weight_types.push_back({config.weight_quantize_type, "weight_quantize_type"});
  all.activation_types.push_back({config.activation_quantize_type, "activation_quantize_type"});
  if (config.first_last_bits) {
    all.weight_bits.push_back({*config.first_last_bits, "first_last_bits"});
    all.activation_bits.push_back({*config.first_last_bits, "first_last_bits"});
  }
  for (size_t i = 0; i < config.overrides.size(); ++i) {
    const QuantOverride& entry = config.overrides[i];
    const std::string prefix = absl::StrCat("overrides[", i, "].");
    const auto add = [&](auto& list, const auto& value, absl::string_view key) {
      if (value) list.push_back({*value, absl::StrCat(prefix, key)});
    };
    add(all.weight_bits, entry.weight_bits, "weight_bits");
    add(all.activation_bits, entry.activation_bits, "activation_bits");
    add(all.weight_types, entry.weight_quantize_type, "weight_quantize_type");
    add(all.activation_types, entry.activation_quantize_type, "activation_quantize_type");
  }
  return all;
}

std::string InQuotes(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

bool Contains(absl::Span<const absl::string_view> names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool AnyIs(const std::vector<Setting<std::string>>& settings, absl::string_view name) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting<std::string>& setting) { return setting.value == name; });
}

bool Uses(const Settings& settings, absl::string_view quantizer) {
  return AnyIs(settings.weight_types, quantizer) || AnyIs(settings.activation_types, quantizer);
}

// An option that only something else looks at, changed without that.
absl::Status WithoutEffect(absl::string_view key, absl::string_view value, absl::string_view why,
                           absl::string_view allowed) {
  return QuantRefused(key, absl::StrCat(value, ", but ", why), allowed);
}

// --- Overrides by themselves.

absl::Status CheckOverride(const QuantOverride& entry, const std::string& path) {
  const bool sets = entry.weight_bits || entry.activation_bits || entry.weight_quantize_type ||
                    entry.activation_quantize_type;
  if (entry.pattern.empty()) {
    return QuantRefused(absl::StrCat(path, ".pattern"), "left out", "a text that is not empty");
  }
  if (entry.skip && sets) {
    return QuantRefused(absl::StrCat(path, ".skip"),
                        "true, with which bits and quantizers have no effect",
                        "false, or nothing but pattern and skip");
  }
  if (!entry.skip && !sets) {
    return QuantRefused(path, "without effect: it sets nothing",
                        "pattern and at least one of skip, weight_bits, activation_bits, "
                        "weight_quantize_type, activation_quantize_type");
  }
  return absl::OkStatus();
}

absl::Status CheckOverrides(const QuantConfig& config, const Settings&) {
  for (size_t i = 0; i < config.overrides.size(); ++i) {
    QUANTRY_RETURN_IF_ERROR(CheckOverride(config.overrides[i], absl::StrCat("overrides[", i, "]")));
  }
  return absl::OkStatus();
}

// --- What the profile's runtime can run.

absl::Status CheckProfileBits(const QuantProfile& profile,
                              const std::vector<Setting<int>>& settings) {
  for (const Setting<int>& bits : settings) {
    if (bits.value >= profile.min_bits && bits.value <= profile.max_bits) continue;
    const std::string range =
        profile.min_bits == profile.max_bits
            ? absl::StrCat(profile.min_bits)
            : absl::StrCat("whole numbers from ", profile.min_bits, " to ", profile.max_bits);
    return QuantRefused(
        bits.path, absl::StrCat(bits.value, ", which profile \"", profile.name, "\" can't run"),
        absl::StrCat(range, ", or another profile"));
  }
  return absl::OkStatus();
}

absl::Status CheckProfile(const QuantConfig& config, const Settings& settings) {
  const QuantProfile& profile = *FindQuantProfile(config.profile);
  QUANTRY_RETURN_IF_ERROR(CheckProfileBits(profile, settings.weight_bits));
  QUANTRY_RETURN_IF_ERROR(CheckProfileBits(profile, settings.activation_bits));
  const std::string cannot = absl::StrCat(", which profile \"", profile.name, "\" can't run");
  const auto types = [&](absl::Span<const absl::string_view> names) {
    return absl::StrCat(Quoted(names), ", or another profile");
  };
  if (!Contains(profile.weight_dtypes, config.dtype)) {
    return QuantRefused("dtype", absl::StrCat(InQuotes(config.dtype), cannot),
                        types(profile.weight_dtypes));
  }
  if (!config.activation_symmetric && !profile.asymmetric) {
    return QuantRefused("activation_symmetric", absl::StrCat("false", cannot),
                        "true, or another profile");
  }
  if (config.activation_dtype && !Contains(profile.activation_dtypes, *config.activation_dtype)) {
    return QuantRefused("activation_dtype",
                        absl::StrCat(InQuotes(*config.activation_dtype), cannot),
                        types(profile.activation_dtypes));
  }
  return absl::OkStatus();
}

// --- Values that exclude each other.

absl::Status CheckSymmetry(const QuantConfig& config, const Settings& settings) {
  if (!config.activation_symmetric) return absl::OkStatus();
  for (const Setting<std::string>& type : settings.activation_types) {
    if (type.value != "lsq_plus_act") continue;
    return QuantRefused(type.path,
                        "\"lsq_plus_act\", whose range is not symmetric, while "
                        "activation_symmetric is true",
                        "activation_symmetric false, or another quantizer, e.g. \"lsq_act\"");
  }
  return absl::OkStatus();
}

// Quantizers that find or transform the range in a way of their own.
bool ExcludesPact(absl::string_view quantizer) {
  return absl::StrContains(quantizer, "lsq") || quantizer == "dorefa_weight";
}

absl::Status CheckPact(absl::string_view preprocess_key,
                       const std::optional<std::string>& preprocess,
                       const std::vector<Setting<std::string>>& types) {
  if (!preprocess) return absl::OkStatus();
  for (const Setting<std::string>& type : types) {
    if (!ExcludesPact(type.value)) continue;
    return QuantRefused(preprocess_key,
                        absl::StrCat("\"PACT\" while ", type.path, " is \"", type.value,
                                     "\", which has a range of its own"),
                        absl::StrCat("null, or another ", type.path));
  }
  return absl::OkStatus();
}

absl::Status CheckPacts(const QuantConfig& config, const Settings& settings) {
  QUANTRY_RETURN_IF_ERROR(
      CheckPact("weight_preprocess_type", config.weight_preprocess_type, settings.weight_types));
  QUANTRY_RETURN_IF_ERROR(CheckPact("activation_preprocess_type", config.activation_preprocess_type,
                                    settings.activation_types));
  if (config.pact_setting && !config.weight_preprocess_type && !config.activation_preprocess_type) {
    return WithoutEffect("pact_setting", InQuotes(*config.pact_setting),
                         "neither weight_preprocess_type nor activation_preprocess_type is "
                         "\"PACT\"",
                         "null (the default)");
  }
  return absl::OkStatus();
}

bool AnyAtMost(const std::vector<Setting<int>>& settings, int most) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting<int>& bits) { return bits.value <= most; });
}

// Types that no tensor would be stored as.
absl::Status CheckStorage(const QuantConfig& config, const Settings& settings) {
  if (config.dtype == "int4" && !AnyAtMost(settings.weight_bits, kInt4Bits)) {
    return QuantRefused(
        "dtype", absl::StrCat("\"int4\" while weight_bits is ", config.weight_bits),
        "\"int8\", or weight_bits of at most 4, for some layers (overrides) at least");
  }
  if (config.dtype == "uint8" && !AnyAtMost(settings.weight_bits, kByteBits)) {
    return QuantRefused("dtype",
                        absl::StrCat("\"uint8\" while weight_bits is ", config.weight_bits,
                                     ", which is stored as int16"),
                        "\"int8\" (the default), or weight_bits of at most 8");
  }
  if (config.activation_dtype && !AnyAtMost(settings.activation_bits, kByteBits)) {
    return QuantRefused(
        "activation_dtype",
        absl::StrCat(InQuotes(*config.activation_dtype), " while activation_bits is ",
                     config.activation_bits, ", which is stored in 16 bits"),
        "null (the default), or activation_bits of at most 8");
  }
  return absl::OkStatus();
}

// --- Values that nothing looks at.

absl::Status CheckMovingRate(const QuantConfig& config, const Settings& settings) {
  const double standard = QuantConfig().moving_rate;
  if (config.moving_rate == standard || config.output_scales ||
      Uses(settings, "moving_average_abs_max")) {
    return absl::OkStatus();
  }
  return WithoutEffect("moving_rate", absl::StrCat(config.moving_rate),
                       "neither weight_quantize_type nor activation_quantize_type is "
                       "\"moving_average_abs_max\", nor output_scales true, the only ones that "
                       "look at it",
                       absl::StrCat(standard, " (the default)"));
}

absl::Status CheckWindowSize(const QuantConfig& config, const Settings& settings) {
  const int64_t standard = QuantConfig().window_size;
  if (config.window_size == standard || Uses(settings, "range_abs_max")) return absl::OkStatus();
  return WithoutEffect("window_size", absl::StrCat(config.window_size),
                       "neither weight_quantize_type nor activation_quantize_type is "
                       "\"range_abs_max\", the only one that looks at it",
                       absl::StrCat(standard, " (the default)"));
}

absl::Status CheckPercentile(const QuantConfig& config, const Settings&) {
  const double standard = QuantConfig().calibrator_percentile;
  if (config.calibrator_percentile == standard || config.calibrator == "percentile") {
    return absl::OkStatus();
  }
  return WithoutEffect("calibrator_percentile", absl::StrCat(config.calibrator_percentile),
                       absl::StrCat("calibrator is \"", config.calibrator, "\""),
                       absl::StrCat(standard, " (the default), or calibrator \"percentile\""));
}

// What is said of weights where none would be quantized.
absl::Status CheckWeightKeys(const QuantConfig& config, const Settings& settings) {
  const auto& types = config.quantizable_layer_type;
  if (std::any_of(types.begin(), types.end(), LayerTypeHasWeight)) return absl::OkStatus();
  const QuantConfig standard;
  const std::string why = "no type in quantizable_layer_type has weights";
  const auto check = [&](bool changed, absl::string_view key) {
    if (!changed) return absl::OkStatus();
    return WithoutEffect(key, "set", why,
                         "to leave it out, or a type with weights, e.g. \"Linear\"");
  };
  QUANTRY_RETURN_IF_ERROR(
      check(config.weight_preprocess_type.has_value(), "weight_preprocess_type"));
  QUANTRY_RETURN_IF_ERROR(
      check(config.weight_quantize_type != standard.weight_quantize_type, "weight_quantize_type"));
  QUANTRY_RETURN_IF_ERROR(check(config.weight_bits != standard.weight_bits, "weight_bits"));
  QUANTRY_RETURN_IF_ERROR(check(config.dtype != standard.dtype, "dtype"));
  for (const Setting<int>& bits : settings.weight_bits) {
    QUANTRY_RETURN_IF_ERROR(check(absl::StartsWith(bits.path, "overrides"), bits.path));
  }
  for (const Setting<std::string>& type : settings.weight_types) {
    QUANTRY_RETURN_IF_ERROR(check(absl::StartsWith(type.path, "overrides"), type.path));
  }
  return absl::OkStatus();
}

using Rule = absl::Status (*)(const QuantConfig&, const Settings&);

constexpr Rule kRules[] = {
    CheckOverrides,  CheckProfile,    CheckSymmetry,   CheckPacts,      CheckStorage,
    CheckMovingRate, CheckWindowSize, CheckPercentile, CheckWeightKeys,
};

}  // namespace

absl::Status CheckQuantCombinations(const QuantConfig& config) {
  const Settings settings = SettingsOf(config);
  for (const Rule rule : kRules) QUANTRY_RETURN_IF_ERROR(rule(config, settings));
  return absl::OkStatus();
}

}  // namespace quantry
