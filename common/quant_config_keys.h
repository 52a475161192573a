#ifndef QUANTRY_COMMON_QUANT_CONFIG_KEYS_H_
#define QUANTRY_COMMON_QUANT_CONFIG_KEYS_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/quant_config.h"
#include "common/quant_config_read.h"
#include "common/quant_values.h"

namespace quantry {

// All that is known of one key of quant_config (Owner QuantConfig) or of one of its overrides
// (Owner QuantOverride). A new key is one entry in quant_config_keys.cc; its default is that of the
// struct. The texts are plain sentences; documents and `quantry explain` show them as they stand.
template <typename Owner>
struct QuantKey {
  absl::string_view name;
  absl::string_view meaning;  // what it chooses, one sentence
  // What is allowed, for messages too. Where `values` are given it is what stands around their
  // names, which go in place of "@".
  absl::string_view allowed;
  absl::string_view effect;  // what changes with it, and with what it has none
  absl::Status (*read)(const QuantPlace& place, const nlohmann::json& value, Owner& owner);
  nlohmann::ordered_json (*write)(const Owner& owner);
  absl::Span<const QuantValue> (*values)() = nullptr;  // of keys whose values are names
};

absl::Span<const QuantKey<QuantConfig>> QuantConfigKeys();
absl::Span<const QuantKey<QuantOverride>> QuantOverrideKeys();

// Reads all members of a JSON object into `owner`. `prefix` is that of the paths in messages: "" or
// "overrides[2].". INVALID_ARGUMENT for an unknown key names the nearest.
absl::Status ReadQuantObject(const nlohmann::json& object, absl::string_view prefix,
                             QuantConfig& owner);
absl::Status ReadQuantObject(const nlohmann::json& object, absl::string_view prefix,
                             QuantOverride& owner);

// `allowed` with the names in it.
template <typename Owner>
std::string AllowedText(const QuantKey<Owner>& key);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_CONFIG_KEYS_H_
