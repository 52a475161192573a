#include <ATen/ATen.h>

#include <limits>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

// How ATen pools pictures of 1 to 3 spatial axes: values, and places within each channel's (padded)
// picture. Others than floats go through float64, which ATen has no kernels for.
std::tuple<at::Tensor, at::Tensor> Pooled(const at::Tensor& x, const Window& window, bool ceil) {
  const bool real = x.is_floating_point();
  const bool fits = window.FitsPooling();
  const at::Tensor number = real ? x : x.to(at::kDouble);
  const at::Tensor picture =
      fits ? number : PadSpatial(number, window, -std::numeric_limits<double>::infinity());
  const std::vector<int64_t> begin =
      fits ? window.begin : std::vector<int64_t>(window.kernel.size(), 0);
  std::tuple<at::Tensor, at::Tensor> result;
  if (x.dim() == 3) {
    result = at::max_pool1d_with_indices(picture, window.kernel, window.strides, begin,
                                         window.dilations, ceil);
  } else if (x.dim() == 4) {
    result = at::max_pool2d_with_indices(picture, window.kernel, window.strides, begin,
                                         window.dilations, ceil);
  } else {
    result = at::max_pool3d_with_indices(picture, window.kernel, window.strides, begin,
                                         window.dilations, ceil);
  }
  if (!real) std::get<0>(result) = std::get<0>(result).to(x.scalar_type());
  return result;
}

// The places in x as a whole, counted row by row, or with the last spatial axis slowest.
at::Tensor PlacesInWhole(const at::Tensor& places, const at::Tensor& x, const Window& window,
                         bool last_slowest) {
  const int64_t rank = x.dim() - 2;
  const bool fits = window.FitsPooling();
  int64_t spatial = 1;
  for (int64_t i = 0; i < rank; ++i) spatial *= x.size(i + 2);
  at::Tensor rest = places;
  at::Tensor whole = at::zeros_like(places);
  int64_t slower = last_slowest ? spatial : 1;
  for (int64_t i = rank; i-- > 0;) {
    const auto at = static_cast<size_t>(i);
    const int64_t size = x.size(i + 2);
    const int64_t shift = fits ? 0 : window.begin[at];
    const int64_t padded = fits ? size : size + shift + window.end[at];
    const at::Tensor place = at::sub(at::remainder(rest, padded), shift);
    rest = at::div(rest, padded, "floor");
    if (last_slowest) slower /= size;
    whole = at::add(whole, at::mul(place, slower));
    if (!last_slowest) slower *= size;
  }
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[0] = x.size(0);
  sizes[1] = x.size(1);
  const at::Tensor channels = at::arange(x.size(0) * x.size(1), places.options()).reshape(sizes);
  return at::add(whole, at::mul(channels, spatial));
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  TORCH_CHECK(x.dim() >= 3 && x.dim() <= 5, "the input must have 1 to 3 spatial axes");
  const Window window = WindowOf(node, node.Ints("kernel_shape"), x.sizes().slice(2));
  const bool ceil = node.Int("ceil_mode", 0) != 0;
  if (node.outputs().size() == 1 && x.dim() == 4 && x.is_floating_point()) {
    const bool fits = window.FitsPooling();
    const at::Tensor picture =
        fits ? x : PadSpatial(x, window, -std::numeric_limits<double>::infinity());
    const std::vector<int64_t> begin = fits ? window.begin : std::vector<int64_t>{0, 0};
    return {at::max_pool2d(picture, window.kernel, window.strides, begin, window.dilations, ceil)};
  }
  const auto [y, places] = Pooled(x, window, ceil);
  if (node.outputs().size() == 1) return {y};
  return {y, PlacesInWhole(places, x, window, node.Int("storage_order", 0) != 0)};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, 0));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "ceil_mode", 0, 1));
  return CheckInt(node, "storage_order", 0, 1);
}

}  // namespace

extern const OperatorDef kMaxPoolOperator = {
    .op = "MaxPool",
    .max_outputs = 2,
    .attributes = {{"auto_pad", AttributeKind::kString},
                   {"ceil_mode", AttributeKind::kInt},
                   {"dilations", AttributeKind::kInts},
                   {"kernel_shape", AttributeKind::kInts, /*required=*/true},
                   {"pads", AttributeKind::kInts},
                   {"storage_order", AttributeKind::kInt},
                   {"strides", AttributeKind::kInts}},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
