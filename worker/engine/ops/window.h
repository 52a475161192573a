#ifndef QUANTRY_WORKER_ENGINE_OPS_WINDOW_H_
#define QUANTRY_WORKER_ENGINE_OPS_WINDOW_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "worker/engine/graph/node.h"

namespace quantry::engine {

// How a convolution or pooling slides over the spatial axes, one element an axis, in elements of
// the picture. From the attributes strides, dilations, pads and auto_pad as ONNX defines them.
struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> begin;  // padding before the first element
  std::vector<int64_t> end;    // padding after the last one

  bool IsSymmetric() const { return begin == end; }
  // ATen's pooling takes padding only of up to half a kernel, the same on both sides.
  bool FitsPooling() const;
};

// `sizes`: the spatial sizes of the input, needed for auto_pad SAME_UPPER and SAME_LOWER.
Window WindowOf(const Node& node, at::IntArrayRef kernel, at::IntArrayRef sizes);

// x padded with `value` as the window says, along its last axes. Keeps the memory format.
at::Tensor PadSpatial(const at::Tensor& x, const Window& window, double value);

// The sum of the elements in each window of each channel; padding counts as 0.
at::Tensor WindowSums(const at::Tensor& x, const Window& window);

// ceil_mode: pads the end so far that the number of windows is rounded up rather than down. A window
// that would begin behind the picture and its leading padding does not count. `sizes`: the spatial
// sizes of the input.
void RoundUpWindows(at::IntArrayRef sizes, Window& window);

// The window's attributes agree with each other and, if `rank` > 0, have `rank` spatial axes.
absl::Status ValidateWindow(const Node& node, int64_t rank);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_WINDOW_H_
