#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {
namespace {

int64_t ProductOf(const std::vector<int64_t>& sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    TORCH_CHECK(size > 0 && product < (int64_t{1} << 31) / size, "sizes ", sizes,
                " are not possible");
    product *= size;
  }
  return product;
}

// Inputs: columns [N, C * elements of a block, blocks], the picture's sizes, the block's sizes.
// Where blocks overlap, their elements are added: a transposed convolution whose kernels have
// one 1.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const std::vector<int64_t> picture = IntsOf(inputs[1]);
  const std::vector<int64_t> block = IntsOf(inputs[2]);
  const size_t rank = picture.size();
  TORCH_CHECK(block.size() == rank && rank >= 1 && rank <= 3,
              "picture and block must have the same number of axes, 1 to 3");
  const int64_t taps = ProductOf(block);
  TORCH_CHECK(taps <= 4096 && inputs[0].dim() == 3 && inputs[0].size(1) % taps == 0,
              "the columns must be [N, C * ", taps, ", blocks], with at most 4096 in a block");
  ProductOf(picture);
  const Window window = WindowOf(node, block, picture);
  std::vector<int64_t> sizes = {inputs[0].size(0), inputs[0].size(1)};
  std::vector<int64_t> added(rank), none(rank, 0);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t reach = (block[i] - 1) * window.dilations[i] + 1;
    const int64_t room = picture[i] + window.begin[i] + window.end[i] - reach;
    TORCH_CHECK(room >= 0, "a block is larger than the picture");
    sizes.push_back(room / window.strides[i] + 1);
    added[i] = room % window.strides[i];
  }
  TORCH_CHECK(inputs[0].size(2) == ProductOf({sizes.begin() + 2, sizes.end()}), "there are ",
              inputs[0].size(2), " blocks; the picture has another number");
  const int64_t channels = sizes[1] / taps;
  std::vector<int64_t> kernel = {taps, 1};
  kernel.insert(kernel.end(), block.begin(), block.end());
  std::vector<int64_t> repeats(kernel.size(), 1);
  repeats[0] = channels;
  const at::Tensor weight = at::eye(taps, inputs[0].options()).reshape(kernel).repeat(repeats);
  at::Tensor y =
      at::convolution(inputs[0].reshape(sizes), weight, {}, window.strides, none, window.dilations,
                      /*transposed=*/true, none, channels);
  for (size_t i = 0; i < rank; ++i) {
    const auto axis = static_cast<int64_t>(i) + 2;
    std::vector<int64_t> pads(2 * (rank - i), 0);
    pads.back() = added[i];
    y = at::constant_pad_nd(y, pads, 0).narrow(axis, window.begin[i], picture[i]);
  }
  return {y};
}

}  // namespace

extern const OperatorDef kCol2ImOperator = {
    .op = "Col2Im",
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {{"dilations", AttributeKind::kInts},
                   {"pads", AttributeKind::kInts},
                   {"strides", AttributeKind::kInts}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return ValidateWindow(node, 0); },
    .evaluate = Evaluate};

}  // namespace quantry::engine
