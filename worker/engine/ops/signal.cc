// Spectra. Complex numbers are pairs along the last axis.
#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/onnx_dtype.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

constexpr int64_t kLongest = int64_t{1} << 24;

// [..., 1] or [..., 2] as a complex tensor [...].
at::Tensor Complex(const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 2 && x.is_floating_point() && (x.size(-1) == 1 || x.size(-1) == 2),
              "the last axis must have 1 (real) or 2 (complex) elements");
  const at::Tensor real = x.select(-1, 0);
  return at::complex(real, x.size(-1) == 2 ? x.select(-1, 1) : at::zeros_like(real));
}

int64_t NumberOf(const at::Tensor& x, const char* what, int64_t least) {
  TORCH_CHECK(x.numel() == 1, what, " must be one number");
  const auto number = x.item<int64_t>();
  TORCH_CHECK(number >= least && number <= kLongest, what, " is ", number);
  return number;
}

std::vector<at::Tensor> Dft(const Node& node, absl::Span<const at::Tensor> inputs,
                            const EvaluateContext&) {
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", 1), inputs[0].dim());
  const at::Tensor x = Complex(inputs[0]);
  TORCH_CHECK(axis < x.dim(), "the axis must not be the last one");
  const at::Tensor given = InputOr(inputs, 1);
  const int64_t length = given.defined() ? NumberOf(given, "dft_length", 1) : x.size(axis);
  const bool inverse = node.Int("inverse", 0) != 0;
  const at::Tensor y = inverse ? at::fft_ifft(x, length, axis) : at::fft_fft(x, length, axis);
  const bool half = node.Int("onesided", 0) != 0;
  return {at::view_as_real(half ? y.narrow(axis, 0, length / 2 + 1) : y)};
}

absl::Status ValidateDft(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckAxis(node, "axis"));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "inverse", 0, 1));
  return CheckInt(node, "onesided", 0, node.Int("inverse", 0) != 0 ? 0 : 1);
}

// From opset 20 on the axis is an input, by default the last before that of the complex numbers.
// Kept is the attribute, as the opset that is written has it.
absl::Status UpgradeDft(Graph& graph, Node& node, int64_t opset) {
  if (opset < 20) return absl::OkStatus();
  const Value* axis = node.input(2);
  if (axis == nullptr) {
    node.attributes["axis"] = int64_t{-2};
    return absl::OkStatus();
  }
  if (!axis->is_initializer() || axis->tensor().numel() != 1 ||
      axis->tensor().scalar_type() != at::kLong) {
    return absl::InvalidArgumentError("the axis must be a constant int64");
  }
  node.attributes["axis"] = axis->tensor().item<int64_t>();
  graph.SetInput(&node, 2, nullptr);
  return absl::OkStatus();
}

// Inputs: signal, step from frame to frame, window, length of a frame.
std::vector<at::Tensor> Stft(const Node& node, absl::Span<const at::Tensor> inputs,
                             const EvaluateContext&) {
  const bool pairs = inputs[0].dim() == 3;
  const at::Tensor signal = Complex(pairs ? inputs[0] : inputs[0].unsqueeze(-1));
  TORCH_CHECK(signal.dim() == 2, "the signal must be [batch, length] or [batch, length, 1 or 2]");
  const at::Tensor window = InputOr(inputs, 2);
  const at::Tensor given = InputOr(inputs, 3);
  TORCH_CHECK(window.defined() || given.defined(), "a window or the length of a frame is needed");
  const int64_t length = given.defined() ? NumberOf(given, "frame_length", 1) : window.numel();
  TORCH_CHECK(length >= 1 && length <= signal.size(1), "a frame has ", length,
              " elements, the signal ", signal.size(1));
  at::Tensor frames = signal.unfold(1, length, NumberOf(inputs[1], "frame_step", 1));
  if (window.defined()) {
    TORCH_CHECK(window.dim() == 1 && window.numel() == length, "the window has ", window.numel(),
                " elements, a frame ", length);
    frames = at::mul(frames, window);
  }
  const at::Tensor y = at::fft_fft(frames, length, -1);
  const bool half = node.Int("onesided", 1) != 0;
  return {at::view_as_real(half ? y.narrow(-1, 0, length / 2 + 1) : y)};
}

// Limits of the bands, in bins of the spectrum, equally spaced in mel (O'Shaughnessy, 1987).
std::vector<int64_t> BandLimits(int64_t bands, int64_t length, double rate, double low,
                                double high) {
  const auto mel = [](double hertz) { return 2595.0 * std::log10(1.0 + hertz / 700.0); };
  const double step = (mel(high) - mel(low)) / static_cast<double>(bands + 2);
  std::vector<int64_t> limits;
  for (int64_t i = 0; i < bands + 2; ++i) {
    const double place = static_cast<double>(i) * step + mel(low);
    const double hertz = 700.0 * (std::pow(10.0, place / 2595.0) - 1.0);
    const double bin = std::floor(static_cast<double>(length + 1) * hertz / rate);
    TORCH_CHECK(bin >= 0.0 && bin <= static_cast<double>(length), "the edges ", low, " and ", high,
                " Hz are not below half of the sample rate ", rate);
    limits.push_back(static_cast<int64_t>(bin));
  }
  return limits;
}

// Triangular bands: rises from one limit to the next, falls to the one after.
std::vector<at::Tensor> MelWeights(const Node& node, absl::Span<const at::Tensor> inputs,
                                   const EvaluateContext&) {
  const int64_t bands = NumberOf(inputs[0], "num_mel_bins", 1);
  const int64_t length = NumberOf(inputs[1], "dft_length", 1);
  const int64_t rate = NumberOf(inputs[2], "sample_rate", 1);
  const int64_t bins = length / 2 + 1;
  TORCH_CHECK(bands <= kLongest / bins, "the matrix would have ", bins, " x ", bands, " elements");
  TORCH_CHECK(inputs[3].numel() == 1 && inputs[4].numel() == 1, "the edges must be numbers");
  const std::vector<int64_t> limits = BandLimits(
      bands, length, static_cast<double>(rate), inputs[3].item<double>(), inputs[4].item<double>());
  at::Tensor weights = at::zeros({bins, bands}, at::kFloat);
  float* out = weights.data_ptr<float>();
  const auto set = [&](int64_t bin, int64_t band, double value) {
    if (bin < bins) out[bin * bands + band] = static_cast<float>(value);
  };
  for (int64_t band = 0; band < bands; ++band) {
    const auto* limit = &limits[static_cast<size_t>(band)];
    const auto rise = static_cast<double>(limit[1] - limit[0]);
    const auto fall = static_cast<double>(limit[2] - limit[1]);
    if (limit[1] == limit[0]) set(limit[1], band, 1.0);
    for (int64_t j = limit[0]; j <= limit[1] && rise > 0.0; ++j) {
      set(j, band, static_cast<double>(j - limit[0]) / rise);
    }
    for (int64_t j = limit[1]; j < limit[2]; ++j) {
      set(j, band, static_cast<double>(limit[2] - j) / fall);
    }
  }
  return {weights.to(DtypeOf(node.Int("output_datatype", 1)).value_or(at::kFloat))};
}

}  // namespace

extern const OperatorDef kDFTOperator = {
    .op = "DFT",
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {{"axis", AttributeKind::kInt},
                   {"inverse", AttributeKind::kInt},
                   {"onesided", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = ValidateDft,
    .evaluate = Dft,
    .upgrade = UpgradeDft};

extern const OperatorDef kMelWeightMatrixOperator = {
    .op = "MelWeightMatrix",
    .min_inputs = 5,
    .max_inputs = 5,
    .attributes = {{"output_datatype", AttributeKind::kInt}},
    .input_kinds = {InputKind::kStatic},
    .validate = [](const Node& node) { return CheckDtype(node, "output_datatype"); },
    .evaluate = MelWeights};

extern const OperatorDef kSTFTOperator = {
    .op = "STFT",
    .min_inputs = 2,
    .max_inputs = 4,
    .attributes = {{"onesided", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckInt(node, "onesided", 0, 1); },
    .evaluate = Stft};

}  // namespace quantry::engine
