// Operators that move elements: splitting, blocks of pictures, reversing.
#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <limits>
#include <string>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

// Into the given sizes, else into as many equal parts as there are outputs, the last one smaller.
std::vector<at::Tensor> Split(const Node& node, absl::Span<const at::Tensor> inputs,
                              const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", 0), x.dim());
  const auto parts = static_cast<int64_t>(node.outputs().size());
  const at::Tensor given = InputOr(inputs, 1);
  std::vector<int64_t> sizes;
  if (given.defined()) {
    sizes = IntsOf(given);
    TORCH_CHECK(static_cast<int64_t>(sizes.size()) == parts, "'split' has ", sizes.size(),
                " sizes; the node has ", parts, " outputs");
  } else {
    const int64_t each = (x.size(axis) + parts - 1) / parts;
    int64_t left = x.size(axis);
    for (int64_t i = 0; i < parts; ++i) {
      sizes.push_back(std::min(each, left));
      left -= sizes.back();
    }
  }
  return at::split_with_sizes(x, sizes, axis);
}

// Up to opset 12 the sizes were an attribute.
absl::Status UpgradeSplit(Graph& graph, Node& node, int64_t opset) {
  return opset >= 13 ? absl::OkStatus() : ListToInput(graph, node, "split", 1);
}

void CheckBlocks(const at::Tensor& x, int64_t channels, int64_t sizes) {
  TORCH_CHECK(x.dim() == 4, "the input must be pictures [N, C, H, W]");
  TORCH_CHECK(x.size(1) % channels == 0 && x.size(2) % sizes == 0 && x.size(3) % sizes == 0,
              "the block size does not divide the sizes of the input");
}

// [N, C, H, W] -> [N, C / b^2, H b, W b]; the channels' order is [b, b, C'] (DCR) or [C', b, b].
at::Tensor DepthToSpace(const Node& node, const at::Tensor& x) {
  const int64_t b = node.Int("blocksize", 1);
  CheckBlocks(x, b * b, 1);
  if (node.String("mode", "DCR") == "CRD") return at::pixel_shuffle(x, b);
  const int64_t n = x.size(0), c = x.size(1) / (b * b), h = x.size(2), w = x.size(3);
  return x.reshape({n, b, b, c, h, w}).permute({0, 3, 4, 1, 5, 2}).reshape({n, c, h * b, w * b});
}

at::Tensor SpaceToDepth(const Node& node, const at::Tensor& x) {
  const int64_t b = node.Int("blocksize", 1);
  CheckBlocks(x, 1, b);
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2) / b, w = x.size(3) / b;
  return x.reshape({n, c, h, b, w, b}).permute({0, 3, 5, 1, 2, 4}).reshape({n, c * b * b, h, w});
}

absl::Status ValidateBlocks(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckOneOf(node, "mode", {"DCR", "CRD"}));
  return CheckInt(node, "blocksize", 1, 1 << 15);
}

// The first lengths[i] elements along the time axis of sequence i, backwards; the rest as it is.
at::Tensor ReverseSequence(const Node& node, const at::Tensor& x, const at::Tensor& lengths) {
  const int64_t time = node.Int("time_axis", 0);
  const int64_t batch = node.Int("batch_axis", 1);
  TORCH_CHECK(x.dim() >= 2 && time != batch, "the input must have a batch and a time axis");
  const at::Tensor places = at::arange(x.size(time), lengths.options().dtype(at::kLong));
  const at::Tensor ends = lengths.to(at::kLong).unsqueeze(1);
  TORCH_CHECK(ends.size(0) == x.size(batch) && ends.max().item<int64_t>() <= x.size(time),
              "the lengths don't fit the input");
  at::Tensor index = at::where(places < ends, ends - 1 - places, places);  // [batch, time]
  if (time < batch) index = index.t();
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[static_cast<size_t>(time)] = x.size(time);
  sizes[static_cast<size_t>(batch)] = x.size(batch);
  return at::gather(x, time, index.reshape(sizes).expand(x.sizes()));
}

std::vector<at::Tensor> CumSum(const Node& node, absl::Span<const at::Tensor> inputs,
                               const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t axis = c10::maybe_wrap_dim(inputs[1].item<int64_t>(), x.dim());
  const bool reverse = node.Int("reverse", 0) != 0;
  const at::Tensor line = reverse ? x.flip(axis) : x;
  at::Tensor sums = at::cumsum(line, axis, x.scalar_type());
  if (node.Int("exclusive", 0) != 0) sums = at::sub(sums, line);
  return {reverse ? sums.flip(axis) : sums};
}

std::vector<at::Tensor> Einsum(const Node& node, absl::Span<const at::Tensor> inputs,
                               const EvaluateContext&) {
  return {at::einsum(node.String("equation", ""),
                     std::vector<at::Tensor>(inputs.begin(), inputs.end()))};
}

}  // namespace

extern const OperatorDef kCumSumOperator = {
    .op = "CumSum",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"exclusive", AttributeKind::kInt}, {"reverse", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = CumSum};

extern const OperatorDef kDepthToSpaceOperator = {
    .op = "DepthToSpace",
    .attributes = {{"blocksize", AttributeKind::kInt, /*required=*/true},
                   {"mode", AttributeKind::kString}},
    .validate = ValidateBlocks,
    .evaluate = UnaryOf<DepthToSpace>};

extern const OperatorDef kEinsumOperator = {
    .op = "Einsum",
    .min_inputs = 1,
    .max_inputs = std::numeric_limits<int>::max(),
    .attributes = {{"equation", AttributeKind::kString, /*required=*/true}},
    .precision_use = PrecisionUse::kAll,
    .evaluate = Einsum};

extern const OperatorDef kReverseSequenceOperator = {
    .op = "ReverseSequence",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"batch_axis", AttributeKind::kInt}, {"time_axis", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate =
        [](const Node& node) {
          QUANTRY_RETURN_IF_ERROR(CheckInt(node, "batch_axis", 0, 1));
          return CheckInt(node, "time_axis", 0, 1);
        },
    .evaluate = BinaryOf<ReverseSequence>};

extern const OperatorDef kSpaceToDepthOperator = {
    .op = "SpaceToDepth",
    .attributes = {{"blocksize", AttributeKind::kInt, /*required=*/true}},
    .validate = ValidateBlocks,
    .evaluate = UnaryOf<SpaceToDepth>};

extern const OperatorDef kSplitOperator = {
    .op = "Split",
    .min_inputs = 1,
    .max_inputs = 2,
    .max_outputs = std::numeric_limits<int>::max(),
    .attributes = {{"axis", AttributeKind::kInt}, {"num_outputs", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = [](const Node& node) { return CheckAxis(node, "axis"); },
    .evaluate = Split,
    .upgrade = UpgradeSplit};

}  // namespace quantry::engine
