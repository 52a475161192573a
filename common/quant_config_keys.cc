#include "common/quant_config_keys.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
namespace values = quant_values;

constexpr absl::string_view kBitsAllowed = "whole numbers from 2 to 16";
constexpr absl::string_view kFlagAllowed = "true, false";

absl::Status ReadOverrides(const QuantPlace& place, const Json& value, QuantConfig& config) {
  if (!value.is_array()) return QuantRefused(place.path, ShownJson(value), place.allowed);
  config.overrides.clear();
  for (const Json& item : value) {
    const std::string path = absl::StrCat(place.path, "[", config.overrides.size(), "]");
    if (!item.is_object()) {
      return QuantRefused(path, ShownJson(item),
                          "an object such as {\"pattern\": \"head\", "
                          "\"weight_bits\": 8}");
    }
    QuantOverride entry;
    QUANTRY_RETURN_IF_ERROR(ReadQuantObject(item, absl::StrCat(path, "."), entry));
    config.overrides.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

// Only what is set: an override says what differs.
OrderedJson WriteOverrides(const QuantConfig& config) {
  OrderedJson list = OrderedJson::array();
  for (const QuantOverride& entry : config.overrides) {
    OrderedJson object = OrderedJson::object();
    for (const QuantKey<QuantOverride>& key : QuantOverrideKeys()) {
      OrderedJson value = key.write(entry);
      if (!value.is_null() && value != OrderedJson(false)) {
        object[std::string(key.name)] = std::move(value);
      }
    }
    list.push_back(std::move(object));
  }
  return list;
}

template <auto kField, auto kRead>
constexpr auto kReadConfig = ReadQuantInto<kField, kRead, QuantConfig>;
template <auto kField>
constexpr auto kWriteConfig = WriteQuantField<kField, QuantConfig>;
template <auto kField, auto kRead>
constexpr auto kReadOverride = ReadQuantInto<kField, kRead, QuantOverride>;
template <auto kField>
constexpr auto kWriteOverride = WriteQuantField<kField, QuantOverride>;

constexpr QuantKey<QuantConfig> kKeys[] = {
    {.name = "weight_preprocess_type",
     .meaning = "What is done to weights before they are quantized.",
     .allowed = "null, @",
     .effect = "PACT adds a trained threshold alpha per scale: weights are clipped to it, and "
               "s = min(alpha, s). Not together with a quantizer that trains or transforms the "
               "range itself (LSQ, DoReFa).",
     .read = kReadConfig<&QuantConfig::weight_preprocess_type, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::weight_preprocess_type>,
     .values = values::Preprocessors},
    {.name = "activation_preprocess_type",
     .meaning = "What is done to activations before they are quantized.",
     .allowed = "null, @",
     .effect = "PACT adds a trained threshold alpha per activation: it is clipped to it, and "
               "s = min(alpha, s). Not together with LSQ, which trains the range itself.",
     .read = kReadConfig<&QuantConfig::activation_preprocess_type, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::activation_preprocess_type>,
     .values = values::Preprocessors},
    {.name = "weight_quantize_type",
     .meaning = "How the threshold s or the step size of weights is found.",
     .allowed = "@",
     .effect = "With one s per output channel BatchNorm stays in training and is folded exactly at "
               "export; with one s per tensor it is folded before training.",
     .read = kReadConfig<&QuantConfig::weight_quantize_type, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::weight_quantize_type>,
     .values = values::WeightQuantizers},
    {.name = "activation_quantize_type",
     .meaning = "How the threshold s or the step size of activations is found.",
     .allowed = "@",
     .effect = "Activations have one s per tensor. lsq_plus_act needs activation_symmetric "
               "false.",
     .read = kReadConfig<&QuantConfig::activation_quantize_type, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::activation_quantize_type>,
     .values = values::ActivationQuantizers},
    {.name = "weight_bits",
     .meaning = "Bits of a weight.",
     .allowed = kBitsAllowed,
     .effect = "Integers run from -q to q, q = 2^(bits-1) - 1. More than 8 bits are stored in 16. "
               "Profiles tensorrt and openvino: 8; paddle: up to 8.",
     .read = kReadConfig<&QuantConfig::weight_bits, ReadQuantBits>,
     .write = kWriteConfig<&QuantConfig::weight_bits>},
    {.name = "activation_bits",
     .meaning = "Bits of an activation.",
     .allowed = kBitsAllowed,
     .effect =
         "Symmetric: integers from -q to q, q = 2^(bits-1) - 1, with 8 and 16 bits from -q - 1 "
         "(not with PACT, nor in profile paddle); else 2^bits of them. More than 8 bits are "
         "stored in 16. Profiles tensorrt and openvino: 8; paddle: up to 8.",
     .read = kReadConfig<&QuantConfig::activation_bits, ReadQuantBits>,
     .write = kWriteConfig<&QuantConfig::activation_bits>},
    {.name = "dtype",
     .meaning = "Type that weights are stored as in the artifact.",
     .allowed = "@",
     .effect = "Changes the file, not what is trained. Weights of more than 8 bits are int16 "
               "whatever stands here. uint8 and int4: profile onnxruntime only.",
     .read = kReadConfig<&QuantConfig::dtype, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::dtype>,
     .values = values::WeightDtypes},
    {.name = "window_size",
     .meaning = "How many steps range_abs_max looks back over.",
     .allowed = "whole numbers from 1 to 1000000",
     .effect = "Without range_abs_max only the default is allowed.",
     .read = kReadConfig<&QuantConfig::window_size, ReadQuantWindow>,
     .write = kWriteConfig<&QuantConfig::window_size>},
    {.name = "moving_rate",
     .meaning = "Share of the past in a moving average.",
     .allowed = "numbers above 0 and below 1",
     .effect = "Nearer to 1 is slower and smoother. Used by moving_average_abs_max and by "
               "output_scales; without both only the default is allowed.",
     .read = kReadConfig<&QuantConfig::moving_rate, ReadQuantRate>,
     .write = kWriteConfig<&QuantConfig::moving_rate>},
    {.name = "quantizable_layer_type",
     .meaning = "Types of the layers that are quantized.",
     .allowed = "a list of @",
     .effect = "Layers of other types stay in float.",
     .read = kReadConfig<&QuantConfig::quantizable_layer_type, ReadQuantNames>,
     .write = kWriteConfig<&QuantConfig::quantizable_layer_type>,
     .values = values::LayerTypes},
    {.name = "fuse_conv_bn",
     .meaning = "Whether BatchNorm is folded into convolutions before training.",
     .allowed = kFlagAllowed,
     .effect = "false: it trains unfolded and is folded at export, where weights have one s per "
               "channel.",
     .read = kReadConfig<&QuantConfig::fuse_conv_bn, ReadQuantFlag>,
     .write = kWriteConfig<&QuantConfig::fuse_conv_bn>},
    {.name = "not_quant_pattern",
     .meaning = "Layers that stay in float, by name.",
     .allowed = "a text that is not empty, or a list of such",
     .effect = "A layer stays in float if its name, or its weight's name, contains one of the "
               "texts.",
     .read = kReadConfig<&QuantConfig::not_quant_pattern, ReadQuantPatterns>,
     .write = kWriteConfig<&QuantConfig::not_quant_pattern>},
    {.name = "profile",
     .meaning = "The runtime that is to serve the model.",
     .allowed = "@",
     .effect = "Values that it can't run are refused. paddle computes what the reference computes, "
               "to the letter.",
     .read = kReadConfig<&QuantConfig::profile, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::profile>,
     .values = values::Profiles},
    {.name = "activation_symmetric",
     .meaning = "Whether the range of activations is the same on both sides of 0.",
     .allowed = kFlagAllowed,
     .effect = "false: a range of its own on either side, 2^bits integers and a zero point. "
               "Profiles onnxruntime and openvino only.",
     .read = kReadConfig<&QuantConfig::activation_symmetric, ReadQuantFlag>,
     .write = kWriteConfig<&QuantConfig::activation_symmetric>},
    {.name = "activation_dtype",
     .meaning = "Type that activations are stored as in the artifact.",
     .allowed = "null, @",
     .effect = "null: what the profile's runtime is fastest with. onnxruntime: uint8, with zero "
               "point 0 where an activation can't be negative; openvino: that only where it can't, "
               "else int8 if activation_symmetric; the others: int8. Activations of more than 8 "
               "bits are int16 if activation_symmetric, else uint16. uint8: profiles onnxruntime "
               "and openvino only.",
     .read = kReadConfig<&QuantConfig::activation_dtype, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::activation_dtype>,
     .values = values::ActivationDtypes},
    {.name = "calibrator",
     .meaning = "How calibration makes a threshold of what it sees.",
     .allowed = "@",
     .effect =
         "The start value of training and, in mode ptq, the result. Weights with a threshold or "
         "step of their own start so, too, but for kl.",
     .read = kReadConfig<&QuantConfig::calibrator, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::calibrator>,
     .values = values::Calibrators},
    {.name = "calibrator_percentile",
     .meaning = "Share of all |x| that stays below the threshold, in percent.",
     .allowed = "numbers above 50, up to 100",
     .effect = "Without calibrator percentile only the default is allowed.",
     .read = kReadConfig<&QuantConfig::calibrator_percentile, ReadQuantPercentile>,
     .write = kWriteConfig<&QuantConfig::calibrator_percentile>},
    {.name = "first_last_bits",
     .meaning = "Bits of weights and activations of the first and the last layers.",
     .allowed = "null, whole numbers from 2 to 16",
     .effect = "First: no other quantized layer with a weight comes before it; last: none comes "
               "after. null: as the rest. Bits of an override come first.",
     .read = kReadConfig<&QuantConfig::first_last_bits, ReadQuantBits>,
     .write = kWriteConfig<&QuantConfig::first_last_bits>},
    {.name = "overrides",
     .meaning = "Layers that are quantized in another way than the rest.",
     .allowed = "a list of objects with pattern and at least one of skip, weight_bits, "
                "activation_bits, weight_quantize_type, activation_quantize_type",
     .effect = "The first entry whose pattern is in the layer's name, or in its weight's name, "
               "decides; ^ in front and $ behind bind it to the start and the end. An entry that "
               "decides for no layer of the model is an error.",
     .read = ReadOverrides,
     .write = WriteOverrides},
    {.name = "pact_setting",
     .meaning = "A published setting of PACT, by name.",
     .allowed = "null, @",
     .effect = "Sets start, learning rate factor and decay of alpha; the job's pact options must "
               "then be left out. null: as those say. Needs PACT.",
     .read = kReadConfig<&QuantConfig::pact_setting, ReadQuantName>,
     .write = kWriteConfig<&QuantConfig::pact_setting>,
     .values = values::PactSettings},
    {.name = "output_scales",
     .meaning = "Whether the scale of every quantized layer's output is reported.",
     .allowed = kFlagAllowed,
     .effect = "Follows the moving average of max|y| by moving_rate; the output itself stays as it "
               "is.",
     .read = kReadConfig<&QuantConfig::output_scales, ReadQuantFlag>,
     .write = kWriteConfig<&QuantConfig::output_scales>},
};

constexpr QuantKey<QuantOverride> kOverrideKeys[] = {
    {.name = "pattern",
     .meaning = "Part of the layers' names or of their weights' names.",
     .allowed = "a text that is not empty; ^ in front and $ behind bind it to the name's ends",
     .effect = "Must decide for at least one layer of the model.",
     .read = kReadOverride<&QuantOverride::pattern, ReadQuantPattern>,
     .write = kWriteOverride<&QuantOverride::pattern>},
    {.name = "skip",
     .meaning = "Whether they stay in float.",
     .allowed = kFlagAllowed,
     .effect = "true: nothing else may be set.",
     .read = kReadOverride<&QuantOverride::skip, ReadQuantFlag>,
     .write = kWriteOverride<&QuantOverride::skip>},
    {.name = "weight_bits",
     .meaning = "Bits of their weights.",
     .allowed = kBitsAllowed,
     .effect = "Instead of the general weight_bits and of first_last_bits.",
     .read = kReadOverride<&QuantOverride::weight_bits, ReadQuantBits>,
     .write = kWriteOverride<&QuantOverride::weight_bits>},
    {.name = "activation_bits",
     .meaning = "Bits of their activations.",
     .allowed = kBitsAllowed,
     .effect = "Instead of the general activation_bits and of first_last_bits.",
     .read = kReadOverride<&QuantOverride::activation_bits, ReadQuantBits>,
     .write = kWriteOverride<&QuantOverride::activation_bits>},
    {.name = "weight_quantize_type",
     .meaning = "How the s or step of their weights is found.",
     .allowed = "@",
     .effect = "Instead of the general weight_quantize_type.",
     .read = kReadOverride<&QuantOverride::weight_quantize_type, ReadQuantName>,
     .write = kWriteOverride<&QuantOverride::weight_quantize_type>,
     .values = values::WeightQuantizers},
    {.name = "activation_quantize_type",
     .meaning = "How the s or step of their activations is found.",
     .allowed = "@",
     .effect = "Instead of the general activation_quantize_type.",
     .read = kReadOverride<&QuantOverride::activation_quantize_type, ReadQuantName>,
     .write = kWriteOverride<&QuantOverride::activation_quantize_type>,
     .values = values::ActivationQuantizers},
};

template <typename Owner>
absl::Status UnknownKey(absl::string_view prefix, absl::string_view given,
                        absl::Span<const QuantKey<Owner>> keys) {
  std::vector<absl::string_view> names;
  for (const QuantKey<Owner>& key : keys) names.push_back(key.name);
  const absl::string_view dot = prefix.empty() ? "" : ".";
  return absl::InvalidArgumentError(
      absl::StrCat("quant_config", dot, prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1),
                   " has no key \"", given.substr(0, 100), "\"", DidYouMean(given, names),
                   " Known keys: ", absl::StrJoin(names, ", ")));
}

template <typename Owner>
absl::Status ReadObject(const Json& object, absl::string_view prefix,
                        absl::Span<const QuantKey<Owner>> keys, Owner& owner) {
  for (const auto& [name, value] : object.items()) {
    const auto key = std::find_if(keys.begin(), keys.end(), [&name = name](const auto& candidate) {
      return candidate.name == name;
    });
    if (key == keys.end()) return UnknownKey(prefix, name, keys);
    const QuantPlace place = {
        .path = absl::StrCat(prefix, name),
        .allowed = AllowedText(*key),
        .values = key->values == nullptr ? absl::Span<const QuantValue>() : key->values()};
    QUANTRY_RETURN_IF_ERROR(key->read(place, value, owner));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const QuantKey<QuantConfig>> QuantConfigKeys() { return kKeys; }
absl::Span<const QuantKey<QuantOverride>> QuantOverrideKeys() { return kOverrideKeys; }

absl::Status ReadQuantObject(const Json& object, absl::string_view prefix, QuantConfig& owner) {
  return ReadObject(object, prefix, QuantConfigKeys(), owner);
}

absl::Status ReadQuantObject(const Json& object, absl::string_view prefix, QuantOverride& owner) {
  return ReadObject(object, prefix, QuantOverrideKeys(), owner);
}

template <typename Owner>
std::string AllowedText(const QuantKey<Owner>& key) {
  if (key.values == nullptr) return std::string(key.allowed);
  return absl::StrReplaceAll(key.allowed, {{"@", Quoted(NamesOf(key.values()))}});
}
template std::string AllowedText(const QuantKey<QuantConfig>&);
template std::string AllowedText(const QuantKey<QuantOverride>&);

}  // namespace quantry
