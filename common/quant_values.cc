#include "common/quant_values.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quantry {
namespace {

constexpr QuantValue kPreprocessors[] = {
    {"PACT", "clips to a trained threshold alpha before quantizing"},
};

constexpr QuantValue kWeightQuantizers[] = {
    {"abs_max", "one s for the tensor: max|w|, anew each step"},
    {"channel_wise_abs_max", "one s per output channel: max|w|, anew each step"},
    {"range_abs_max", "one s: the largest max|w| of the last window_size steps"},
    {"moving_average_abs_max", "one s: moving average of max|w| by moving_rate"},
    {"lsq_weight", "one step size, trained (LSQ)"},
    {"channel_wise_lsq_weight", "one step size per output channel, trained (LSQ)"},
    {"dorefa_weight", "one s; quantizes tanh(w) / max|tanh(w)| (DoReFa)"},
};

constexpr QuantValue kActivationQuantizers[] = {
    {"abs_max", "s of the step's own batch; evaluation uses the largest seen"},
    {"range_abs_max", "the largest max|x| of the last window_size steps"},
    {"moving_average_abs_max", "moving average of max|x| by moving_rate"},
    {"lsq_act", "step size, trained (LSQ)"},
    {"lsq_plus_act", "step size and offset, trained (LSQ+)"},
};

constexpr QuantValue kWeightDtypes[] = {
    {"int8", "signed, zero point 0"},
    {"uint8", "unsigned, zero point 128"},
    {"int4", "packed, opset 21: weights of at most 4 bits; others int8"},
};

constexpr QuantValue kActivationDtypes[] = {
    {"int8", "signed"},
    {"uint8", "unsigned; symmetric: zero point 128"},
};

constexpr QuantValue kLayerTypes[] = {
    {"Conv1D", "Conv on sequences: input and weight"},
    {"Conv2D", "Conv on pictures: input and weight"},
    {"Conv3D", "Conv on volumes: input and weight"},
    {"Conv1DTranspose", "ConvTranspose on sequences: input and weight"},
    {"Conv2DTranspose", "ConvTranspose on pictures: input and weight"},
    {"Conv3DTranspose", "ConvTranspose on volumes: input and weight"},
    {"Linear", "Gemm, or MatMul by a weight: input and weight"},
    {"MatMul", "MatMul of two activations: both inputs"},
    {"Add", "Add of two activations: both inputs"},
    {"Mul", "Mul of two activations: both inputs"},
    {"Concat", "inputs and output, on one common scale"},
    {"MaxPool", "input and output, on one common scale"},
    {"AveragePool", "input"},
    {"GlobalAveragePool", "input"},
};

constexpr QuantValue kProfiles[] = {
    {"onnxruntime", "all values; halves to even, gradients masked outside s"},
    {"tensorrt", "8 bits, int8, symmetric; rounding as onnxruntime"},
    {"openvino", "8 bits, int8 weights; rounding as onnxruntime"},
    {"paddle", "to 8 bits, int8, symmetric; halves away from 0, no mask"},
};

constexpr QuantValue kCalibrators[] = {
    {"abs_max", "the largest |x|"},
    {"percentile", "what calibrator_percentile of all |x| stay below"},
    {"mse", "least mean squared error of the quantized values"},
    {"kl", "least Kullback-Leibler divergence of the histogram"},
};

constexpr QuantValue kPactSettings[] = {
    {"calibrated", "alpha starts at the calibrated s; L2 decay 1e-4"},
    {"alpha100", "alpha starts at 100; learning rate times 1000"},
    {"alpha20", "alpha starts at 20; L2 decay 1e-4"},
};

constexpr absl::string_view kWeightless[] = {
    "MatMul", "Add", "Mul", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool"};

}  // namespace

namespace quant_values {
absl::Span<const QuantValue> Preprocessors() { return kPreprocessors; }
absl::Span<const QuantValue> WeightQuantizers() { return kWeightQuantizers; }
absl::Span<const QuantValue> ActivationQuantizers() { return kActivationQuantizers; }
absl::Span<const QuantValue> WeightDtypes() { return kWeightDtypes; }
absl::Span<const QuantValue> ActivationDtypes() { return kActivationDtypes; }
absl::Span<const QuantValue> LayerTypes() { return kLayerTypes; }
absl::Span<const QuantValue> Profiles() { return kProfiles; }
absl::Span<const QuantValue> Calibrators() { return kCalibrators; }
absl::Span<const QuantValue> PactSettings() { return kPactSettings; }
}  // namespace quant_values

bool LayerTypeHasWeight(absl::string_view layer_type) {
  return std::find(std::begin(kWeightless), std::end(kWeightless), layer_type) ==
         std::end(kWeightless);
}

std::vector<absl::string_view> NamesOf(absl::Span<const QuantValue> values) {
  std::vector<absl::string_view> names;
  for (const QuantValue& value : values) names.push_back(value.name);
  return names;
}

std::string Quoted(absl::Span<const absl::string_view> names) {
  return absl::StrJoin(names, ", ", [](std::string* out, absl::string_view name) {
    absl::StrAppend(out, "\"", name, "\"");
  });
}

}  // namespace quantry
