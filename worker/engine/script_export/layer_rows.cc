// Layers, pooling and normalizations.
#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/script_export/source_table.h"

namespace quantry::engine {
namespace {

using Ints = std::vector<int64_t>;

// A window's attributes for `rank` spatial axes.
struct WindowSource {
  Ints kernel;
  Ints strides;
  Ints dilations;
  Ints begin;
  Ints end;
};

absl::StatusOr<WindowSource> WindowSourceOf(const SourceCall& call, int64_t rank) {
  const Node& node = call.node();
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  if (auto_pad != "VALID") QUANTRY_RETURN_IF_ERROR(call.Require("auto_pad", "NOTSET"));
  const auto axes = static_cast<size_t>(rank);
  const Ints pads = auto_pad == "VALID" ? Ints(2 * axes, 0) : node.Ints("pads", Ints(2 * axes, 0));
  const auto middle = pads.begin() + rank;
  return WindowSource{.kernel = node.Ints("kernel_shape"),
                      .strides = node.Ints("strides", Ints(axes, 1)),
                      .dilations = node.Ints("dilations", Ints(axes, 1)),
                      .begin = Ints(pads.begin(), middle),
                      .end = Ints(middle, pads.end())};
}

// The input padded as the window says, which has no padding afterwards, if ATen's own padding,
// which is the same on both sides, can't do it.
std::string PaddedInput(const SourceCall& call, WindowSource& window, double value,
                        bool half_at_most) {
  bool fits = window.begin == window.end;
  for (size_t i = 0; half_at_most && i < window.begin.size(); ++i) {
    fits = fits && window.begin[i] <= window.kernel[i] / 2;
  }
  if (fits) return call.Input(0);
  Ints pads;  // last axis first
  for (size_t i = window.begin.size(); i-- > 0;) {
    pads.push_back(window.begin[i]);
    pads.push_back(window.end[i]);
  }
  window.begin.assign(window.begin.size(), 0);
  return absl::StrCat("torch.constant_pad_nd(", call.Input(0), ", ", Literal(pads), ", ",
                      Literal(value), ")");
}

absl::StatusOr<std::string> Conv(const SourceCall& call) {
  QUANTRY_ASSIGN_OR_RETURN(const int64_t rank, call.RankOfInitializer(1));
  QUANTRY_ASSIGN_OR_RETURN(WindowSource window, WindowSourceOf(call, rank - 2));
  const std::string x = PaddedInput(call, window, 0, /*half_at_most=*/false);
  return absl::StrCat("torch.convolution(", x, ", ", call.Input(1), ", ", call.Input(2), ", ",
                      Literal(window.strides), ", ", Literal(window.begin), ", ",
                      Literal(window.dilations), ", False, ", Literal(Ints(window.begin.size(), 0)),
                      ", ", call.node().Int("group", 1), ")");
}

absl::StatusOr<std::string> ConvTranspose(const SourceCall& call) {
  QUANTRY_ASSIGN_OR_RETURN(const int64_t rank, call.RankOfInitializer(1));
  QUANTRY_ASSIGN_OR_RETURN(const WindowSource window, WindowSourceOf(call, rank - 2));
  if (window.begin != window.end || call.node().HasAttribute("output_shape")) {
    return absl::UnimplementedError(
        "padding that differs at the two ends is not written to TorchScript");
  }
  const Ints added = call.node().Ints("output_padding", Ints(window.begin.size(), 0));
  return absl::StrCat("torch.convolution(", call.Input(0), ", ", call.Input(1), ", ", call.Input(2),
                      ", ", Literal(window.strides), ", ", Literal(window.begin), ", ",
                      Literal(window.dilations), ", True, ", Literal(added), ", ",
                      call.node().Int("group", 1), ")");
}

absl::StatusOr<std::string> Gemm(const SourceCall& call) {
  const Node& node = call.node();
  const std::string a = call.Input(0) + (node.Int("transA", 0) != 0 ? ".t()" : "");
  const float alpha = node.Float("alpha", 1);
  const float beta = node.Float("beta", 1);
  const bool transposed = node.Int("transB", 0) != 0;
  const Value* c = node.input(2);
  const bool row = c == nullptr || (c->is_initializer() && c->tensor().dim() == 1);
  if (alpha == 1 && beta == 1 && transposed && row) {
    return absl::StrCat("torch.linear(", a, ", ", call.Input(1), ", ", call.Input(2), ")");
  }
  const std::string b = call.Input(1) + (transposed ? ".t()" : "");
  if (c == nullptr) {
    return absl::StrCat("torch.mm(", a, ", ", b, ") * ", Literal(double{alpha}));
  }
  return absl::StrCat("torch.addmm(", call.Input(2), ", ", a, ", ", b,
                      ", beta=", Literal(double{beta}), ", alpha=", Literal(double{alpha}), ")");
}

absl::StatusOr<std::string> BatchNorm(const SourceCall& call) {
  return absl::StrCat("torch.batch_norm(", call.Input(0), ", ", call.Input(1), ", ", call.Input(2),
                      ", ", call.Input(3), ", ", call.Input(4), ", False, 0.1, ",
                      FloatLiteral(call.node(), "epsilon", 1e-5f), ", False)");
}

absl::StatusOr<std::string> LayerNorm(const SourceCall& call) {
  const Value* scale = call.node().input(1);
  const int64_t axis = call.node().Int("axis", -1);
  if (axis >= 0 || !scale->is_initializer() || scale->tensor().dim() != -axis) {
    return absl::UnimplementedError(
        "only a negative 'axis' with a scale of all axes from there on is written to TorchScript");
  }
  return absl::StrCat("torch.layer_norm(", call.Input(0), ", ",
                      Literal(scale->tensor().sizes().vec()), ", ", call.Input(1), ", ",
                      call.Input(2), ", ", FloatLiteral(call.node(), "epsilon", 1e-5f), ", False)");
}

absl::StatusOr<std::string> InstanceNorm(const SourceCall& call) {
  return absl::StrCat("torch.instance_norm(", call.Input(0), ", ", call.Input(1), ", ",
                      call.Input(2), ", None, None, True, 0.0, ",
                      FloatLiteral(call.node(), "epsilon", 1e-5f), ", False)");
}

absl::StatusOr<std::string> MaxPool(const SourceCall& call) {
  const Ints kernel = call.node().Ints("kernel_shape");
  QUANTRY_ASSIGN_OR_RETURN(WindowSource window,
                           WindowSourceOf(call, static_cast<int64_t>(kernel.size())));
  const std::string x = PaddedInput(call, window, -std::numeric_limits<double>::infinity(),
                                    /*half_at_most=*/true);
  return absl::StrCat("torch.max_pool", kernel.size(), "d(", x, ", ", Literal(kernel), ", ",
                      Literal(window.strides), ", ", Literal(window.begin), ", ",
                      Literal(window.dilations), ", ",
                      Literal(call.node().Int("ceil_mode", 0) != 0), ")");
}

absl::StatusOr<std::string> AveragePool(const SourceCall& call) {
  const Ints kernel = call.node().Ints("kernel_shape");
  QUANTRY_ASSIGN_OR_RETURN(WindowSource window,
                           WindowSourceOf(call, static_cast<int64_t>(kernel.size())));
  const bool counts = call.node().Int("count_include_pad", 0) != 0;
  const std::string x = PaddedInput(call, window, 0, /*half_at_most=*/true);
  const bool padded = x != call.Input(0);
  if (padded && !counts) {
    return absl::UnimplementedError(
        "padding that differs at the two ends is not written to TorchScript without "
        "count_include_pad");
  }
  return absl::StrCat("torch.avg_pool", kernel.size(), "d(", x, ", ", Literal(kernel), ", ",
                      Literal(window.strides), ", ", Literal(window.begin), ", ",
                      Literal(call.node().Int("ceil_mode", 0) != 0), ", ", Literal(counts), ")");
}

// Means and maxima over all axes from 2 on, which are kept with size 1.
absl::StatusOr<std::string> GlobalAveragePool(const SourceCall& call) {
  const std::string x = call.Input(0);
  return absl::StrCat("torch.mean(", x, ", list(range(2, ", x, ".dim())), True)");
}

absl::StatusOr<std::string> GlobalMaxPool(const SourceCall& call) {
  const std::string x = call.Input(0);
  return absl::StrCat("torch.amax(", x, ", list(range(2, ", x, ".dim())), True)");
}

constexpr SourceRow kRows[] = {
    {"AveragePool", AveragePool},
    {"BatchNormalization", BatchNorm},
    {"Conv", Conv},
    {"ConvTranspose", ConvTranspose},
    {"Gemm", Gemm},
    {"GlobalAveragePool", GlobalAveragePool},
    {"GlobalMaxPool", GlobalMaxPool},
    {"InstanceNormalization", InstanceNorm},
    {"LayerNormalization", LayerNorm},
    {"MaxPool", MaxPool},
};

}  // namespace

absl::Span<const SourceRow> LayerSourceRows() { return kRows; }

}  // namespace quantry::engine
