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

// How a model is to be quantized: the keys, defaults and meanings of PaddleSlim's QAT config.
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
  std::string dtype = "int8";   // storage type of weights in the artifact: "int8"
  int64_t window_size = 10000;  // steps that range_abs_max looks back over; 1 to 1000000
  double moving_rate = 0.9;     // share of the past in a moving average; in (0, 1)
  // Layer types that are quantized: "Conv2D", "Linear". Never empty.
  std::vector<std::string> quantizable_layer_type = {"Conv2D", "Linear"};
  // Fold BatchNorm into the convolutions before training instead of at export.
  bool fuse_conv_bn = false;
  // Layers whose name, or whose weight's name, contains one of these stay in float.
  std::vector<std::string> not_quant_pattern = {"skip_quant"};

  friend bool operator==(const QuantConfig&, const QuantConfig&) = default;
};

inline constexpr int kMinQuantBits = 2;
inline constexpr int kMaxQuantBits = 8;

// What this release can do, for messages and capabilities.
absl::Span<const absl::string_view> SupportedWeightQuantizers();
absl::Span<const absl::string_view> SupportedActivationQuantizers();
absl::Span<const absl::string_view> SupportedPreprocessors();
absl::Span<const absl::string_view> SupportedLayerTypes();

// Reads a quant_config: one JSON object, at most 64 KiB; keys left out keep their defaults, empty
// text is all defaults. INVALID_ARGUMENT for text that is no JSON object, an unknown or repeated
// key (names the nearest known one), and a wrong type, value or combination (names key, given value
// and what is allowed). Nothing that is accepted is ignored later.
absl::StatusOr<QuantConfig> ParseQuantConfig(absl::string_view json);

// The whole config as a JSON object in one line, every key written; ParseQuantConfig reads it back.
std::string QuantConfigToJson(const QuantConfig& config);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_CONFIG_H_
