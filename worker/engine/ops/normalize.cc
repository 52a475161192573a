// Normalizations beside BatchNormalization. None keeps statistics.
#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

constexpr float kDefaultEpsilon = 1e-5f;

double EpsilonOf(const Node& node) { return DecimalOf(node.Float("epsilon", kDefaultEpsilon)); }

absl::Status CheckEpsilon(const Node& node) {
  const float epsilon = node.Float("epsilon", kDefaultEpsilon);
  if (epsilon >= 0.0f && epsilon < 1e6f) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("attribute 'epsilon' is ", epsilon, "; it must be at least 0"));
}

// Over all axes from `axis` on: (x - mean) / sqrt(variance + epsilon) * scale + bias; mean and
// 1 / sqrt(...) are further outputs.
std::vector<at::Tensor> LayerNorm(const Node& node, absl::Span<const at::Tensor> inputs,
                                  const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const auto axis = static_cast<size_t>(c10::maybe_wrap_dim(node.Int("axis", -1), x.dim()));
  const at::IntArrayRef sizes = x.sizes().slice(axis);
  const at::Tensor bias = InputOr(inputs, 2);
  const bool whole = inputs[1].sizes() == sizes && (!bias.defined() || bias.sizes() == sizes);
  auto [y, mean, deviation] = at::native_layer_norm(x, sizes, whole ? inputs[1] : at::Tensor(),
                                                    whole ? bias : at::Tensor(), EpsilonOf(node));
  if (!whole) {
    y = at::mul(y, inputs[1]);
    if (bias.defined()) y = at::add(y, bias);
  }
  return FirstOutputs(node, {y, mean, deviation});
}

std::vector<at::Tensor> InstanceNorm(const Node& node, absl::Span<const at::Tensor> inputs,
                                     const EvaluateContext&) {
  return {at::instance_norm(inputs[0], inputs[1], inputs[2], {}, {}, /*use_input_stats=*/true,
                            /*momentum=*/0.0, EpsilonOf(node),
                            at::globalContext().userEnabledCuDNN())};
}

// Scale and bias are of each group (opsets 18 to 20) or of each channel (from 21 on).
std::vector<at::Tensor> GroupNorm(const Node& node, absl::Span<const at::Tensor> inputs,
                                  const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t groups = node.Int("num_groups", 1);
  TORCH_CHECK(x.dim() >= 2 && x.size(1) % groups == 0, "the channels don't fall into ", groups,
              " groups");
  const auto of_channels = [&](const at::Tensor& values) {
    const bool each = values.numel() == x.size(1);
    return each ? values : at::repeat_interleave(values, x.size(1) / groups);
  };
  return {at::group_norm(x, groups, of_channels(inputs[1]), of_channels(inputs[2]), EpsilonOf(node),
                         at::globalContext().userEnabledCuDNN())};
}

// x / (bias + alpha / size * sum of the squares of the `size` channels around)^beta.
at::Tensor LocalResponse(const Node& node, const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 2, "the input must have a channel axis");
  const int64_t size = node.Int("size", 1);
  const int64_t before = (size - 1) / 2;
  std::vector<int64_t> pads(static_cast<size_t>(2 * (x.dim() - 1)), 0);
  pads[pads.size() - 2] = before;
  pads[pads.size() - 1] = size - 1 - before;
  const at::Tensor squares = at::constant_pad_nd(at::mul(x, x), pads, 0);
  at::Tensor sum = squares.narrow(1, 0, x.size(1));
  for (int64_t i = 1; i < size; ++i) sum = at::add(sum, squares.narrow(1, i, x.size(1)));
  const double alpha = DecimalOf(node.Float("alpha", 1e-4f));
  const double beta = DecimalOf(node.Float("beta", 0.75f));
  const double bias = DecimalOf(node.Float("bias", 1.0f));
  const at::Tensor base = at::add(at::mul(sum, alpha / static_cast<double>(size)), bias);
  return at::div(x, at::pow(base, beta));
}

at::Tensor LpNorm(const Node& node, const at::Tensor& x) {
  const at::Tensor norm =
      at::linalg_vector_norm(x, node.Int("p", 2), {node.Int("axis", -1)}, /*keepdim=*/true);
  return at::div(x, norm);
}

// (x - mean) / (standard deviation + 1e-9), as ONNX defines it by primitives.
at::Tensor MeanVariance(const Node& node, const at::Tensor& x) {
  const std::vector<int64_t> axes = node.Ints("axes", {0, 2, 3});
  const at::Tensor mean = at::mean(x, axes, /*keepdim=*/true);
  const at::Tensor centred = at::sub(x, mean);
  const at::Tensor variance = at::mean(at::mul(centred, centred), axes, /*keepdim=*/true);
  return at::div(centred, at::add(at::sqrt(variance), 1e-9));
}

}  // namespace

extern const OperatorDef kGroupNormalizationOperator = {
    .op = "GroupNormalization",
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {{"epsilon", AttributeKind::kFloat},
                   {"num_groups", AttributeKind::kInt, /*required=*/true},
                   {"stash_type", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kParameter},
    .validate =
        [](const Node& node) {
          QUANTRY_RETURN_IF_ERROR(CheckEpsilon(node));
          QUANTRY_RETURN_IF_ERROR(CheckInt(node, "stash_type", 1, 1));
          return CheckInt(node, "num_groups", 1, 1 << 20);
        },
    .evaluate = GroupNorm};

extern const OperatorDef kInstanceNormalizationOperator = {
    .op = "InstanceNormalization",
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {{"epsilon", AttributeKind::kFloat}},
    .input_kinds = {InputKind::kActivation, InputKind::kParameter},
    .validate = CheckEpsilon,
    .evaluate = InstanceNorm};

extern const OperatorDef kLRNOperator = {
    .op = "LRN",
    .attributes = {{"alpha", AttributeKind::kFloat},
                   {"beta", AttributeKind::kFloat},
                   {"bias", AttributeKind::kFloat},
                   {"size", AttributeKind::kInt, /*required=*/true}},
    .validate = [](const Node& node) { return CheckInt(node, "size", 1, 1 << 12); },
    .evaluate = UnaryOf<LocalResponse>};

extern const OperatorDef kLayerNormalizationOperator = {
    .op = "LayerNormalization",
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 3,
    .attributes = {{"axis", AttributeKind::kInt},
                   {"epsilon", AttributeKind::kFloat},
                   {"stash_type", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kParameter},
    .validate =
        [](const Node& node) {
          QUANTRY_RETURN_IF_ERROR(CheckEpsilon(node));
          QUANTRY_RETURN_IF_ERROR(CheckInt(node, "stash_type", 1, 1));
          return CheckAxis(node, "axis");
        },
    .evaluate = LayerNorm};

extern const OperatorDef kLpNormalizationOperator = {
    .op = "LpNormalization",
    .attributes = {{"axis", AttributeKind::kInt}, {"p", AttributeKind::kInt}},
    .validate =
        [](const Node& node) {
          QUANTRY_RETURN_IF_ERROR(CheckAxis(node, "axis"));
          return node.HasAttribute("p") ? CheckInt(node, "p", 1, 2) : absl::OkStatus();
        },
    .evaluate = UnaryOf<LpNorm>};

extern const OperatorDef kMeanVarianceNormalizationOperator = {
    .op = "MeanVarianceNormalization",
    .attributes = {{"axes", AttributeKind::kInts}},
    .evaluate = UnaryOf<MeanVariance>};

}  // namespace quantry::engine
