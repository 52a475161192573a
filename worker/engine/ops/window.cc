#include "worker/engine/ops/window.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"

namespace quantry::engine {
namespace {

constexpr int64_t kLargest = 65535;

absl::Status CheckList(const Node& node, absl::string_view name, int64_t length, int64_t least) {
  const std::vector<int64_t> list = node.Ints(name);
  if (!node.HasAttribute(name)) return absl::OkStatus();
  const bool good = std::all_of(list.begin(), list.end(), [&](int64_t element) {
    return element >= least && element <= kLargest;
  });
  if (good && static_cast<int64_t>(list.size()) == length) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is [",
                                                 absl::StrJoin(list, ", "), "]; it must have ",
                                                 length, " elements of ", least, " to ", kLargest));
}

// The number of spatial axes that the attributes speak of, 0 if of none.
int64_t RankOf(const Node& node) {
  for (const absl::string_view name : {"kernel_shape", "strides", "dilations"}) {
    if (node.HasAttribute(name)) return static_cast<int64_t>(node.Ints(name).size());
  }
  return static_cast<int64_t>(node.Ints("pads").size() / 2);
}

}  // namespace

bool Window::FitsPooling() const {
  if (!IsSymmetric()) return false;
  for (size_t i = 0; i < kernel.size(); ++i) {
    if (begin[i] > kernel[i] / 2) return false;
  }
  return true;
}

Window WindowOf(const Node& node, at::IntArrayRef kernel, at::IntArrayRef sizes) {
  const size_t rank = kernel.size();
  const std::vector<int64_t> ones(rank, 1);
  Window window{.kernel = kernel.vec(),
                .strides = node.Ints("strides", ones),
                .dilations = node.Ints("dilations", ones),
                .begin = std::vector<int64_t>(rank, 0),
                .end = std::vector<int64_t>(rank, 0)};
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return window;
  if (auto_pad == "NOTSET") {
    const std::vector<int64_t> pads = node.Ints("pads", std::vector<int64_t>(2 * rank, 0));
    TORCH_CHECK(pads.size() == 2 * rank && window.strides.size() == rank &&
                    window.dilations.size() == rank && sizes.size() == rank,
                "the window has ", rank, " axes, the input or the attributes have not");
    std::copy_n(pads.begin(), rank, window.begin.begin());
    std::copy_n(pads.begin() + static_cast<int64_t>(rank), rank, window.end.begin());
    return window;
  }
  TORCH_CHECK(
      window.strides.size() == rank && window.dilations.size() == rank && sizes.size() == rank,
      "the window has ", rank, " axes, the input or the attributes have not");
  for (size_t i = 0; i < rank; ++i) {
    const int64_t outputs = (sizes[i] + window.strides[i] - 1) / window.strides[i];
    const int64_t reach = (outputs - 1) * window.strides[i] + (kernel[i] - 1) * window.dilations[i];
    const int64_t total = std::max<int64_t>(0, reach + 1 - sizes[i]);
    const int64_t smaller = total / 2;
    window.begin[i] = auto_pad == "SAME_UPPER" ? smaller : total - smaller;
    window.end[i] = total - window.begin[i];
  }
  return window;
}

at::Tensor PadSpatial(const at::Tensor& x, const Window& window, double value) {
  std::vector<int64_t> pads;  // ATen's order: last axis first
  for (size_t i = window.begin.size(); i-- > 0;) {
    pads.push_back(window.begin[i]);
    pads.push_back(window.end[i]);
  }
  return at::constant_pad_nd(x, pads, value);
}

at::Tensor WindowSums(const at::Tensor& x, const Window& window) {
  std::vector<int64_t> kernel = {x.size(1), 1};
  kernel.insert(kernel.end(), window.kernel.begin(), window.kernel.end());
  const std::vector<int64_t> none(window.kernel.size(), 0);
  return at::convolution(PadSpatial(x, window, 0.0), at::ones(kernel, x.options()), {},
                         window.strides, none, window.dilations, /*transposed=*/false, none,
                         /*groups=*/x.size(1));
}

void RoundUpWindows(at::IntArrayRef sizes, Window& window) {
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t room = sizes[i] + window.begin[i] + window.end[i] - reach;
    if (room < 0) continue;
    const int64_t steps = (room + window.strides[i] - 1) / window.strides[i];
    if (steps * window.strides[i] >= sizes[i] + window.begin[i]) continue;
    window.end[i] += steps * window.strides[i] - room;
  }
}

absl::Status ValidateWindow(const Node& node, int64_t rank) {
  if (rank == 0) rank = RankOf(node);
  QUANTRY_RETURN_IF_ERROR(CheckList(node, "kernel_shape", rank, 1));
  QUANTRY_RETURN_IF_ERROR(CheckList(node, "strides", rank, 1));
  QUANTRY_RETURN_IF_ERROR(CheckList(node, "dilations", rank, 1));
  QUANTRY_RETURN_IF_ERROR(CheckList(node, "pads", 2 * rank, 0));
  return CheckOneOf(node, "auto_pad", {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"});
}

}  // namespace quantry::engine
