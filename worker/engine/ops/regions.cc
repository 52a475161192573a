// Pooling of regions of interest, as detectors have it.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMostSampledElements = int64_t{1} << 26;

// One axis of a region: `bins` bins from `start` on, each `length` long, with `samples` places
// each.
struct RegionAxis {
  double start = 0.0;
  double length = 0.0;
  int64_t bins = 1;
  int64_t samples = 1;
};

// Row (bin, sample) holds the weights of the picture's `size` elements at that place: linear
// between two, none where the place is more than one element outside.
at::Tensor SampleWeights(const RegionAxis& axis, int64_t size, const at::TensorOptions& options) {
  TORCH_CHECK(axis.bins * axis.samples <= kMostSampledElements / size, "a region asks for ",
              axis.samples, " samples in each bin");
  at::Tensor weights = at::zeros({axis.bins * axis.samples, size}, at::kDouble);
  auto* row = weights.data_ptr<double>();
  for (int64_t i = 0; i < axis.bins * axis.samples; ++i, row += size) {
    const auto bin = static_cast<double>(i / axis.samples);
    const auto sample = static_cast<double>(i % axis.samples);
    const double place =
        axis.start + axis.length * (bin + (sample + 0.5) / static_cast<double>(axis.samples));
    if (!(place >= -1.0 && place <= static_cast<double>(size))) continue;
    const double inside = std::clamp(place, 0.0, static_cast<double>(size - 1));
    const auto low = static_cast<int64_t>(inside);
    const double share = inside - static_cast<double>(low);
    row[low] += 1.0 - share;
    row[std::min(low + 1, size - 1)] += share;
  }
  return weights.to(options);
}

// Corners x1, y1, x2, y2 of every region, in the rois' own units.
struct Regions {
  std::vector<double> corners;
  std::vector<int64_t> pictures;  // which picture of the batch each is in
};

Regions RegionsOf(const at::Tensor& rois, const at::Tensor& pictures, int64_t batch) {
  TORCH_CHECK(rois.dim() == 2 && rois.size(1) == 4, "the regions must be [number, 4], not ",
              rois.sizes());
  TORCH_CHECK(pictures.numel() == rois.size(0), "there are ", pictures.numel(),
              " picture numbers for ", rois.size(0), " regions");
  const at::Tensor flat = rois.detach().to(at::kCPU, at::kDouble).contiguous();
  Regions regions{.pictures = IntsOf(pictures)};
  regions.corners.assign(flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
  for (const int64_t picture : regions.pictures) {
    TORCH_CHECK(picture >= 0 && picture < batch, "picture number ", picture,
                " is not in a batch of ", batch);
  }
  for (const double corner : regions.corners) {
    TORCH_CHECK(std::abs(corner) < 1e9, "a region has the corner ", corner);
  }
  return regions;
}

struct AlignOptions {
  double scale = 1.0;
  double shift = 0.0;        // half_pixel: pixel centres lie at .5
  double least = 0.0;        // length of a region
  int64_t bins[2] = {1, 1};  // height, width
  int64_t samples = 0;       // 0: as many as the bin has elements
  bool largest = false;      // of the samples, instead of their mean
};

AlignOptions AlignOptionsOf(const Node& node) {
  const bool half = node.String("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  return {.scale = DecimalOf(node.Float("spatial_scale", 1.0f)),
          .shift = half ? -0.5 : 0.0,
          .least = half ? 0.0 : 1.0,
          .bins = {node.Int("output_height", 1), node.Int("output_width", 1)},
          .samples = node.Int("sampling_ratio", 0),
          .largest = node.String("mode", "avg") == "max"};
}

RegionAxis AxisOf(const AlignOptions& options, size_t axis, double from, double to) {
  const double start = from * options.scale + options.shift;
  const double whole = std::max(to * options.scale + options.shift - start, options.least);
  RegionAxis result{.start = start, .bins = options.bins[axis]};
  result.length = whole / static_cast<double>(result.bins);
  result.samples = options.samples > 0
                       ? options.samples
                       : std::max<int64_t>(1, static_cast<int64_t>(std::ceil(result.length)));
  return result;
}

// [C, height, width] of one region of a picture [C, H, W]. Sampling is linear along each axis
// alone, so it is one matrix an axis.
at::Tensor AlignOne(const AlignOptions& options, const at::Tensor& picture, const double* corner) {
  const RegionAxis y = AxisOf(options, 0, corner[1], corner[3]);
  const RegionAxis x = AxisOf(options, 1, corner[0], corner[2]);
  const at::Tensor rows = SampleWeights(y, picture.size(1), picture.options());
  const at::Tensor columns = SampleWeights(x, picture.size(2), picture.options());
  if (!options.largest) {
    const at::Tensor row_means = rows.reshape({y.bins, y.samples, -1}).mean(1);
    const at::Tensor column_means = columns.reshape({x.bins, x.samples, -1}).mean(1);
    return at::matmul(at::matmul(row_means, picture), column_means.t());
  }
  TORCH_CHECK(rows.size(0) * columns.size(0) <= kMostSampledElements / picture.size(0),
              "a region asks for too many samples");
  const at::Tensor samples = at::matmul(at::matmul(rows, picture), columns.t());
  return samples.reshape({picture.size(0), y.bins, y.samples, x.bins, x.samples}).amax({2, 4});
}

// Mean or maximum of samples of each bin (He and others, Mask R-CNN, 2017).
std::vector<at::Tensor> RoiAlign(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  TORCH_CHECK(x.dim() == 4 && x.numel() > 0, "the input must be [N, C, H, W] and not empty");
  const AlignOptions options = AlignOptionsOf(node);
  const Regions regions = RegionsOf(inputs[1], inputs[2], x.size(0));
  std::vector<at::Tensor> pooled;
  for (size_t i = 0; i < regions.pictures.size(); ++i) {
    pooled.push_back(AlignOne(options, x[regions.pictures[i]], &regions.corners[4 * i]));
  }
  if (!pooled.empty()) return {at::stack(pooled)};
  return {at::zeros({0, x.size(1), options.bins[0], options.bins[1]}, x.options())};
}

absl::Status CheckScale(const Node& node) {
  const float scale = node.Float("spatial_scale", 1.0f);
  if (std::abs(scale) < 1e6f) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("attribute 'spatial_scale' is ", scale, "; it must be below 1e6"));
}

absl::Status ValidateAlign(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(
      CheckOneOf(node, "coordinate_transformation_mode", {"half_pixel", "output_half_pixel"}));
  QUANTRY_RETURN_IF_ERROR(CheckOneOf(node, "mode", {"avg", "max"}));
  for (const char* size : {"output_height", "output_width"}) {
    if (node.HasAttribute(size)) QUANTRY_RETURN_IF_ERROR(CheckInt(node, size, 1, 4096));
  }
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "sampling_ratio", 0, 64));
  return CheckScale(node);
}

// Before opset 16 pixel centres lay at whole numbers.
absl::Status UpgradeAlign(Graph&, Node& node, int64_t opset) {
  if (opset < 16) {
    node.attributes["coordinate_transformation_mode"] = std::string("output_half_pixel");
  }
  return absl::OkStatus();
}

// Elements [first, second) of bin `bin` of `bins`, within the picture.
std::pair<int64_t, int64_t> BinOf(int64_t start, int64_t length, int64_t bin, int64_t bins,
                                  int64_t size) {
  const double each = static_cast<double>(length) / static_cast<double>(bins);
  const auto low = static_cast<int64_t>(std::floor(static_cast<double>(bin) * each));
  const auto high = static_cast<int64_t>(std::ceil(static_cast<double>(bin + 1) * each));
  return {std::clamp<int64_t>(low + start, 0, size), std::clamp<int64_t>(high + start, 0, size)};
}

// The maximum of each bin of whole elements; 0 for an empty bin (Girshick, Fast R-CNN, 2015).
at::Tensor MaxPoolOne(const at::Tensor& picture, at::IntArrayRef bins, double scale,
                      const double* corner) {
  int64_t edge[4];
  for (size_t i = 0; i < 4; ++i) edge[i] = static_cast<int64_t>(std::round(corner[i] * scale));
  const int64_t height = std::max<int64_t>(edge[3] - edge[1] + 1, 1);
  const int64_t width = std::max<int64_t>(edge[2] - edge[0] + 1, 1);
  std::vector<at::Tensor> cells;
  for (int64_t i = 0; i < bins[0]; ++i) {
    const auto [top, bottom] = BinOf(edge[1], height, i, bins[0], picture.size(1));
    for (int64_t j = 0; j < bins[1]; ++j) {
      const auto [left, right] = BinOf(edge[0], width, j, bins[1], picture.size(2));
      const bool empty = bottom <= top || right <= left;
      cells.push_back(empty ? at::zeros({picture.size(0)}, picture.options())
                            : picture.slice(1, top, bottom).slice(2, left, right).amax({1, 2}));
    }
  }
  return at::stack(cells, 1).reshape({picture.size(0), bins[0], bins[1]});
}

std::vector<at::Tensor> MaxRoiPool(const Node& node, absl::Span<const at::Tensor> inputs,
                                   const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const at::Tensor& rois = inputs[1];
  TORCH_CHECK(x.dim() == 4 && rois.dim() == 2 && rois.size(1) == 5,
              "the input must be [N, C, H, W], the regions [number, 5]");
  const at::Tensor numbers = rois.detach().select(1, 0).to(at::kLong);
  const Regions regions = RegionsOf(rois.slice(1, 1), numbers, x.size(0));
  const std::vector<int64_t> bins = node.Ints("pooled_shape");
  const double scale = DecimalOf(node.Float("spatial_scale", 1.0f));
  std::vector<at::Tensor> pooled;
  for (size_t i = 0; i < regions.pictures.size(); ++i) {
    pooled.push_back(MaxPoolOne(x[regions.pictures[i]], bins, scale, &regions.corners[4 * i]));
  }
  if (!pooled.empty()) return {at::stack(pooled)};
  return {at::zeros({0, x.size(1), bins[0], bins[1]}, x.options())};
}

absl::Status ValidateMaxRoi(const Node& node) {
  const std::vector<int64_t> bins = node.Ints("pooled_shape");
  const bool good = bins.size() == 2 && std::all_of(bins.begin(), bins.end(),
                                                    [](int64_t n) { return n >= 1 && n <= 256; });
  if (!good) {
    return absl::InvalidArgumentError("attribute 'pooled_shape' must have 2 elements of 1 to 256");
  }
  return CheckScale(node);
}

}  // namespace

extern const OperatorDef kMaxRoiPoolOperator = {
    .op = "MaxRoiPool",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"pooled_shape", AttributeKind::kInts, /*required=*/true},
                   {"spatial_scale", AttributeKind::kFloat}},
    .validate = ValidateMaxRoi,
    .evaluate = MaxRoiPool};

extern const OperatorDef kRoiAlignOperator = {
    .op = "RoiAlign",
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {{"coordinate_transformation_mode", AttributeKind::kString},
                   {"mode", AttributeKind::kString},
                   {"output_height", AttributeKind::kInt},
                   {"output_width", AttributeKind::kInt},
                   {"sampling_ratio", AttributeKind::kInt},
                   {"spatial_scale", AttributeKind::kFloat}},
    .validate = ValidateAlign,
    .evaluate = RoiAlign,
    .upgrade = UpgradeAlign};

}  // namespace quantry::engine
