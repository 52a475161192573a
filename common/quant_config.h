#ifndef QUANTRY_COMMON_QUANT_CONFIG_H_
#define QUANTRY_COMMON_QUANT_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry {

// Layers that are quantized in another way than the rest. Absent: as the rest.
struct QuantOverride {
  // Part of the name of the layers, or of their weights; not empty. "^" in front: the name starts
  // with it; "$" behind: the name ends with it; both: the name is it.
  std::string pattern;
  bool skip = false;  // stays in float; then nothing else is set
  std::optional<int> weight_bits;
  std::optional<int> activation_bits;
  std::optional<std::string> weight_quantize_type;
  std::optional<std::string> activation_quantize_type;

  friend bool operator==(const QuantOverride&, const QuantOverride&) = default;
};

// How a model is to be quantized: the keys, defaults and meanings of PaddleSlim's QAT config, and
// those that are ours.
// docs/quant_config.md explains each for users. An object that came out of ParseQuantConfig is
// valid.
struct QuantConfig {
  // Done to the tensor before it is quantized: absent or "PACT".
  std::optional<std::string> weight_preprocess_type;
  std::optional<std::string> activation_preprocess_type;
  // One of SupportedWeightQuantizers(), SupportedActivationQuantizers().
  std::string weight_quantize_type = "channel_wise_abs_max";
  std::string activation_quantize_type = "moving_average_abs_max";
  // Integers are in [-q, q], q = 2^(bits-1) - 1. In [kMinQuantBits, kMaxQuantBits].
  int weight_bits = 8;
  int activation_bits = 8;
  // Storage type of weights in the artifact: "int8"; "uint8", with zero point 128; "int4", of
  // weights with at most 4 bits (others are int8). Those with more than 8 bits are int16.
  std::string dtype = "int8";
  int64_t window_size = 10000;  // steps that range_abs_max looks back over; 1 to 1000000
  double moving_rate = 0.9;     // share of the past in a moving average; in (0, 1)
  // Layer types that are quantized, of SupportedLayerTypes(). Never empty.
  std::vector<std::string> quantizable_layer_type = {"Conv2D", "Linear"};
  // Fold BatchNorm into the convolutions before training instead of at export.
  bool fuse_conv_bn = false;
  // Layers whose name, or whose weight's name, contains one of these stay in float.
  std::vector<std::string> not_quant_pattern = {"skip_quant"};

  // The runtime that is to serve the model: "onnxruntime", "tensorrt", "openvino"; or "paddle",
  // which computes what the reference computes, to the letter.
  std::string profile = "onnxruntime";
  // Activations: [-s, s] on signed integers, or false: a range of their own on both sides of 0, on
  // 2^bits integers with a zero_point.
  bool activation_symmetric = true;
  // Storage type of activations in the artifact: "int8", "uint8"; absent: what the profile's
  // runtime is fastest with. Those with more than 8 bits are int16 if symmetric, else uint16.
  std::optional<std::string> activation_dtype;
  // How thresholds are found from what calibration sees: "abs_max", "percentile", "mse", "kl".
  std::string calibrator = "abs_max";
  double calibrator_percentile = 99.99;  // share of |x| below the threshold, percent; (50, 100]
  // Bits of weights and activations of the first and the last quantized layers; absent: as the
  // rest.
  std::optional<int> first_last_bits;
  // The first that matches a layer decides, after not_quant_pattern and before first_last_bits.
  std::vector<QuantOverride> overrides;
  // A published setting of PACT: "calibrated", "alpha100", "alpha20"; absent: as training says.
  std::optional<std::string> pact_setting;
  // Whether the scale of every quantized layer's output is followed and reported.
  bool output_scales = false;

  friend bool operator==(const QuantConfig&, const QuantConfig&) = default;
};

inline constexpr int kMinQuantBits = 2;
inline constexpr int kMaxQuantBits = 16;

// What weights of dtype "int4" may have.
inline constexpr int kInt4Bits = 4;

// What this release can do, for messages and capabilities.
absl::Span<const absl::string_view> SupportedWeightQuantizers();
absl::Span<const absl::string_view> SupportedActivationQuantizers();
absl::Span<const absl::string_view> SupportedPreprocessors();
absl::Span<const absl::string_view> SupportedLayerTypes();
absl::Span<const absl::string_view> SupportedProfiles();
absl::Span<const absl::string_view> SupportedCalibrators();
absl::Span<const absl::string_view> SupportedWeightDtypes();
absl::Span<const absl::string_view> SupportedActivationDtypes();
absl::Span<const absl::string_view> SupportedPactSettings();

// Reads a quant_config: one JSON object, at most 64 KiB; keys left out keep their defaults, empty
// text is all defaults. INVALID_ARGUMENT for text that is no JSON object, an unknown or repeated
// key (names the nearest known one), and a wrong type, value or combination (names key, given value
// and what is allowed). Nothing that is accepted is ignored later.
absl::StatusOr<QuantConfig> ParseQuantConfig(absl::string_view json);

// The whole config as a JSON object in one line, every key written; ParseQuantConfig reads it back.
std::string QuantConfigToJson(const QuantConfig& config);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_CONFIG_H_
