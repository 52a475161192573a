#include "common/quant_profile.h"

namespace quantry {
namespace {

constexpr absl::string_view kInt8[] = {"int8"};
constexpr absl::string_view kInt8OrUint8[] = {"int8", "uint8"};
constexpr absl::string_view kAllWeightTypes[] = {"int8", "uint8", "int4"};

constexpr QuantProfile kProfiles[] = {
    // QuantizeLinear and DequantizeLinear of opset 21: 4-, 8- and 16-bit types, any zero point.
    {.name = "onnxruntime",
     .asymmetric = true,
     .weight_dtypes = kAllWeightTypes,
     .activation_dtypes = kInt8OrUint8},
    // Explicit quantization: int8 with zero point 0. Its 4-bit form is of weights alone.
    {.name = "tensorrt",
     .min_bits = 8,
     .max_bits = 8,
     .weight_dtypes = kInt8,
     .activation_dtypes = kInt8},
    // Low-precision transformations: symmetric int8 weights, 8-bit activations.
    {.name = "openvino",
     .min_bits = 8,
     .max_bits = 8,
     .asymmetric = true,
     .weight_dtypes = kInt8,
     .activation_dtypes = kInt8OrUint8},
    // The reference's own kernels.
    {.name = "paddle",
     .max_bits = 8,
     .weight_dtypes = kInt8,
     .activation_dtypes = kInt8,
     .rounds_half_away = true,
     .passes_all_gradients = true},
};

}  // namespace

const QuantProfile* FindQuantProfile(absl::string_view name) {
  for (const QuantProfile& profile : kProfiles) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

}  // namespace quantry
