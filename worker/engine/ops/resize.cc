// Resize and its forerunner Upsample. Every axis is resized alone: each output element is the
// weighted sum of one (nearest), two (linear), four (cubic) or, with antialias, more input
// elements.
#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 31;

// One axis: from `in` elements to `out`, of the part [start, end] (fractions) of the input.
struct AxisMap {
  int64_t in = 1;
  int64_t out = 1;
  double scale = 1.0;
  double start = 0.0;
  double end = 1.0;
};

// The output elements' taps: input index and weight, [out] each.
struct Taps {
  std::vector<std::vector<int64_t>> indices;
  std::vector<std::vector<float>> weights;
  std::vector<bool> outside;  // tf_crop_and_resize: takes the extrapolation value
};

// The place in the input, in its elements, of output element `i`.
double PlaceOf(const AxisMap& map, const std::string& mode, double i) {
  const auto in = static_cast<double>(map.in);
  const double out = map.scale * in;  // may be a fraction
  if (mode == "asymmetric") return i / map.scale;
  if (mode == "tf_half_pixel_for_nn") return (i + 0.5) / map.scale;
  if (mode == "align_corners") return map.out == 1 ? 0.0 : i * (in - 1.0) / (out - 1.0);
  if (mode == "pytorch_half_pixel") return map.out > 1 ? (i + 0.5) / map.scale - 0.5 : 0.0;
  if (mode == "half_pixel_symmetric") {
    const double adjustment = static_cast<double>(map.out) / out;
    return in / 2.0 * (1.0 - adjustment) + (i + 0.5) / map.scale - 0.5;
  }
  if (mode == "tf_crop_and_resize") {
    if (map.out == 1) return 0.5 * (map.start + map.end) * (in - 1.0);
    return map.start * (in - 1.0) +
           i * (map.end - map.start) * (in - 1.0) / (static_cast<double>(map.out) - 1.0);
  }
  return (i + 0.5) / map.scale - 0.5;  // half_pixel
}

double Nearest(double place, const std::string& mode) {
  if (mode == "floor") return std::floor(place);
  if (mode == "ceil") return std::ceil(place);
  if (mode == "round_prefer_ceil") return std::floor(place + 0.5);
  return std::ceil(place - 0.5);
}

// Weight of an element at distance d, linear or by Keys' kernel with parameter a (IEEE TASSP 29,
// 1981).
double KernelWeight(bool linear, double d, double a) {
  d = std::abs(d);
  if (linear) return std::max(0.0, 1.0 - d);
  if (d <= 1.0) return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
  return d < 2.0 ? ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a : 0.0;
}

// With antialias, shrinking widens the kernel by as much.
double StretchOf(const Node& node, const AxisMap& map) {
  return node.Int("antialias", 0) != 0 ? std::max(1.0, 1.0 / map.scale) : 1.0;
}

// Number of input elements that take part in an output element.
size_t TapCount(const std::string& mode, double stretch) {
  if (mode == "nearest") return 1;
  return 2 * static_cast<size_t>(std::ceil((mode == "linear" ? 1.0 : 2.0) * stretch));
}

// The taps of output element `i`, the input element `first` and those behind it.
void FillTaps(const Node& node, const AxisMap& map, double first, double place, size_t i,
              Taps& taps) {
  const size_t count = taps.indices.size();
  const bool linear = node.String("mode", "nearest") == "linear";
  const bool exclude = node.Int("exclude_outside", 0) != 0;
  const double a = DecimalOf(node.Float("cubic_coeff_a", -0.75f));
  const double stretch = StretchOf(node, map);
  std::vector<double> weights(count, 1.0);
  double sum = 0.0;
  for (size_t k = 0; k < count; ++k) {
    const double index = first + static_cast<double>(k);
    const bool outside = index < 0.0 || index >= static_cast<double>(map.in);
    if (count > 1) weights[k] = KernelWeight(linear, (index - place) / stretch, a);
    if (exclude && outside) weights[k] = 0.0;
    taps.indices[k][i] =
        static_cast<int64_t>(std::clamp(index, 0.0, static_cast<double>(map.in - 1)));
    sum += weights[k];
  }
  const bool normalize = exclude || stretch > 1.0;
  for (size_t k = 0; k < count; ++k) {
    taps.weights[k][i] = static_cast<float>(normalize ? weights[k] / sum : weights[k]);
  }
}

Taps TapsOf(const Node& node, const AxisMap& map) {
  const std::string mode = node.String("mode", "nearest");
  const std::string coordinates = node.String("coordinate_transformation_mode", "half_pixel");
  const std::string rounding = node.String("nearest_mode", "round_prefer_floor");
  const size_t count = TapCount(mode, StretchOf(node, map));
  const auto length = static_cast<size_t>(map.out);
  Taps taps{.indices = {count, std::vector<int64_t>(length)},
            .weights = {count, std::vector<float>(length)},
            .outside = std::vector<bool>(length, false)};
  for (size_t i = 0; i < length; ++i) {
    const double place = PlaceOf(map, coordinates, static_cast<double>(i));
    const bool crop = coordinates == "tf_crop_and_resize";
    taps.outside[i] = crop && !(place >= 0.0 && place <= static_cast<double>(map.in - 1));
    const double first = count == 1 ? Nearest(place, rounding)
                                    : std::floor(place) - static_cast<double>(count / 2) + 1.0;
    FillTaps(node, map, first, place, i, taps);
  }
  return taps;
}

// All taps as one matrix [out, in] where there are many.
at::Tensor WeightMatrix(const Taps& taps, const AxisMap& map, const at::TensorOptions& options) {
  at::Tensor matrix = at::zeros({map.out, map.in}, at::kFloat);
  float* rows = matrix.data_ptr<float>();
  for (size_t k = 0; k < taps.indices.size(); ++k) {
    for (int64_t i = 0; i < map.out; ++i) {
      const auto at = static_cast<size_t>(i);
      rows[i * map.in + taps.indices[k][at]] += taps.weights[k][at];
    }
  }
  return matrix.to(options);
}

// The weighted sum of the taps along `axis`.
at::Tensor SumOfTaps(const Taps& taps, const AxisMap& map, const at::Tensor& x, int64_t axis) {
  constexpr size_t kManyTaps = 8;
  constexpr int64_t kLargestMatrix = int64_t{1} << 26;
  if (taps.indices.size() > kManyTaps && map.out <= kLargestMatrix / map.in) {
    const at::Tensor weights = WeightMatrix(taps, map, x.options());
    return at::matmul(x.transpose(axis, -1), weights.t()).transpose(axis, -1);
  }
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[static_cast<size_t>(axis)] = map.out;
  at::Tensor y;
  for (size_t k = 0; k < taps.indices.size(); ++k) {
    const at::Tensor index = at::tensor(taps.indices[k], at::kLong).to(x.device());
    at::Tensor part = at::index_select(x, axis, index);
    if (taps.indices.size() > 1) {
      const at::Tensor weight = at::tensor(taps.weights[k], at::kFloat).to(x.options());
      part = at::mul(part, weight.reshape(sizes));
    }
    y = y.defined() ? at::add(y, part) : part;
  }
  return y;
}

at::Tensor ResizeAxis(const Node& node, const at::Tensor& x, int64_t axis, const AxisMap& map) {
  const Taps taps = TapsOf(node, map);
  const at::Tensor y = SumOfTaps(taps, map, x, axis);
  if (std::find(taps.outside.begin(), taps.outside.end(), true) == taps.outside.end()) return y;
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[static_cast<size_t>(axis)] = map.out;
  at::Tensor outside = at::empty({map.out}, at::kBool);
  for (int64_t i = 0; i < map.out; ++i) outside[i] = bool{taps.outside[static_cast<size_t>(i)]};
  return at::where(outside.to(x.device()).reshape(sizes),
                   at::full({}, node.Float("extrapolation_value", 0.0f), y.options()), y);
}

std::vector<double> NumbersOf(absl::Span<const at::Tensor> inputs, size_t index) {
  const at::Tensor given = InputOr(inputs, index);
  if (!given.defined() || given.numel() == 0) return {};
  const at::Tensor flat = given.to(at::kCPU, at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

// The one scale of all axes with which none becomes larger, or smaller, than `sizes` asks for;
// empty where each axis has its own.
std::optional<double> CommonScale(const Node& node, const at::Tensor& x,
                                  const std::vector<int64_t>& axes,
                                  const std::vector<double>& sizes) {
  const std::string policy = node.String("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch" || sizes.empty()) return std::nullopt;
  std::vector<double> scales;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t size = x.size(c10::maybe_wrap_dim(axes[i], x.dim()));
    scales.push_back(sizes[i] / static_cast<double>(size));
  }
  return policy == "not_larger" ? *std::min_element(scales.begin(), scales.end())
                                : *std::max_element(scales.begin(), scales.end());
}

// Inputs: x, region of interest (starts, then ends), scales, sizes; scales or sizes are given.
std::vector<at::Tensor> Resize(const Node& node, absl::Span<const at::Tensor> inputs,
                               const EvaluateContext&) {
  at::Tensor y = inputs[0];
  const std::vector<double> region = NumbersOf(inputs, 1);
  const std::vector<double> scales = NumbersOf(inputs, 2);
  const std::vector<double> sizes = NumbersOf(inputs, 3);
  std::vector<int64_t> axes = node.Ints("axes");
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(y.dim()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  const std::vector<double>& given = sizes.empty() ? scales : sizes;
  TORCH_CHECK(given.size() == axes.size(), "there are ", given.size(), " scales or sizes for ",
              axes.size(), " axes");
  const bool crop =
      node.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
  TORCH_CHECK(!crop || region.size() == 2 * axes.size(), "the region must have ", 2 * axes.size(),
              " elements");
  const std::optional<double> common = CommonScale(node, y, axes, sizes);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = c10::maybe_wrap_dim(axes[i], y.dim());
    AxisMap map{.in = y.size(axis)};
    double out = sizes.empty() ? std::floor(static_cast<double>(map.in) * scales[i]) : sizes[i];
    if (common) out = std::floor(static_cast<double>(map.in) * *common + 0.5);
    TORCH_CHECK(out >= 1.0 && out * static_cast<double>(y.numel()) <=
                                  static_cast<double>(kMostElements * map.in),
                "axis ", axis, " would have ", out, " elements");
    map.out = static_cast<int64_t>(out);
    map.scale = sizes.empty() ? scales[i] : common.value_or(out / static_cast<double>(map.in));
    if (crop) {
      map.start = region[i];
      map.end = region[i + axes.size()];
    }
    const bool same =
        map.in == map.out && map.scale == 1.0 && (!crop || (map.start == 0.0 && map.end == 1.0));
    if (!same) y = ResizeAxis(node, y, axis, map);
  }
  return {y};
}

absl::Status ValidateResize(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckOneOf(node, "mode", {"nearest", "linear", "cubic"}));
  QUANTRY_RETURN_IF_ERROR(
      CheckOneOf(node, "coordinate_transformation_mode",
                 {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                  "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"}));
  QUANTRY_RETURN_IF_ERROR(CheckOneOf(node, "nearest_mode",
                                     {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  QUANTRY_RETURN_IF_ERROR(
      CheckOneOf(node, "keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"}));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "antialias", 0, 1));
  return CheckInt(node, "exclude_outside", 0, 1);
}

// Inputs x and scales, as in opset 10 and Upsample; there, coordinates were not shifted.
void MakeScalesInput2(Graph& graph, Node& node) {
  if (node.inputs().size() == 2) {
    Value* scales = node.input(1);
    graph.SetInput(&node, 1, nullptr);
    graph.SetInput(&node, 2, scales);
  }
  node.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
  node.attributes["nearest_mode"] = std::string("floor");
}

absl::Status UpgradeResize(Graph& graph, Node& node, int64_t opset) {
  if (opset < 11) MakeScalesInput2(graph, node);
  return absl::OkStatus();
}

// Up to opset 8 the scales were an attribute.
absl::Status UpgradeUpsample(Graph& graph, Node& node, int64_t opset) {
  if (opset < 9) {
    QUANTRY_ASSIGN_OR_RETURN(const auto scales, TakeAttribute<std::vector<float>>(node, "scales"));
    if (scales) SetConstantInput(graph, node, 1, at::tensor(*scales, at::kFloat));
  }
  MakeScalesInput2(graph, node);
  graph.SetOp(&node, "Resize");
  return absl::OkStatus();
}

const std::vector<AttributeDef>& ResizeAttributes() {
  static const std::vector<AttributeDef> kAttributes = {
      {"antialias", AttributeKind::kInt},
      {"axes", AttributeKind::kInts},
      {"coordinate_transformation_mode", AttributeKind::kString},
      {"cubic_coeff_a", AttributeKind::kFloat},
      {"exclude_outside", AttributeKind::kInt},
      {"extrapolation_value", AttributeKind::kFloat},
      {"keep_aspect_ratio_policy", AttributeKind::kString},
      {"mode", AttributeKind::kString},
      {"nearest_mode", AttributeKind::kString}};
  return kAttributes;
}

}  // namespace

extern const OperatorDef kResizeOperator = {
    .op = "Resize",
    .min_inputs = 1,
    .max_inputs = 4,
    .attributes = ResizeAttributes(),
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = ValidateResize,
    .evaluate = Resize,
    .upgrade = UpgradeResize};

// Becomes a Resize at import.
extern const OperatorDef kUpsampleOperator = {
    .op = "Upsample",
    .min_inputs = 1,
    .max_inputs = 4,
    .attributes = ResizeAttributes(),
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = ValidateResize,
    .evaluate = Resize,
    .upgrade = UpgradeUpsample};

}  // namespace quantry::engine
