// Activation functions with attributes. Numbers in the attributes are read as the decimals that
// people wrote, see DecimalOf.
#include <ATen/ATen.h>

#include <string>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

constexpr float kSeluAlpha = 1.67326319217681884765625f;
constexpr float kSeluGamma = 1.05070102214813232421875f;

double Number(const Node& node, absl::string_view name, float fallback) {
  return DecimalOf(node.Float(name, fallback));
}

absl::Status AlphaIsFinite(const Node& node) { return CheckFinite(node, "alpha"); }

at::Tensor Selu(const Node& node, const at::Tensor& x) {
  return at::elu(x, node.Float("alpha", kSeluAlpha), node.Float("gamma", kSeluGamma));
}

// x + bias below -lambd, x - bias above lambd, 0 between.
at::Tensor Shrunk(const Node& node, const at::Tensor& x) {
  const double bias = Number(node, "bias", 0.0f);
  const double lambda = Number(node, "lambd", 0.5f);
  const at::Tensor zero = at::zeros_like(x);
  return at::where(x < -lambda, x + bias, at::where(x > lambda, x - bias, zero));
}

at::Tensor Infinite(const Node& node, const at::Tensor& x) {
  const bool negative = node.Int("detect_negative", 1) != 0;
  const bool positive = node.Int("detect_positive", 1) != 0;
  if (negative && positive) return at::isinf(x);
  if (negative) return at::isneginf(x);
  return positive ? at::isposinf(x) : at::zeros_like(x, at::kBool);
}

}  // namespace

extern const OperatorDef kCeluOperator = {
    .op = "Celu",
    .attributes = {{"alpha", AttributeKind::kFloat}},
    .validate = AlphaIsFinite,
    .evaluate = UnaryOf<[](const Node& node, const at::Tensor& x) {
      return at::celu(x, Number(node, "alpha", 1.0f));
    }>};

extern const OperatorDef kEluOperator = {
    .op = "Elu",
    .attributes = {{"alpha", AttributeKind::kFloat}},
    .validate = AlphaIsFinite,
    .evaluate = UnaryOf<[](const Node& node, const at::Tensor& x) {
      return at::elu(x, Number(node, "alpha", 1.0f));
    }>};

extern const OperatorDef kGeluOperator = {
    .op = "Gelu",
    .attributes = {{"approximate", AttributeKind::kString}},
    .validate =
        [](const Node& node) {
          return CheckOneOf(node, "approximate", {"none", "tanh"});
        },
    .evaluate = UnaryOf<[](const Node& node, const at::Tensor& x) {
      return at::gelu(x, node.String("approximate", "none"));
    }>};

extern const OperatorDef kIsInfOperator = {.op = "IsInf",
                                           .attributes = {{"detect_negative", AttributeKind::kInt},
                                                          {"detect_positive", AttributeKind::kInt}},
                                           .evaluate = UnaryOf<Infinite>};

extern const OperatorDef kLeakyReluOperator = {
    .op = "LeakyRelu",
    .attributes = {{"alpha", AttributeKind::kFloat}},
    .validate = AlphaIsFinite,
    .evaluate = UnaryOf<[](const Node& node, const at::Tensor& x) {
      return at::leaky_relu(x, Number(node, "alpha", 0.01f));
    }>};

// The slope broadcasts over x, as torch writes it for channels: [C, 1, 1].
extern const OperatorDef kPReluOperator = {
    .op = "PRelu",
    .min_inputs = 2,
    .max_inputs = 2,
    .input_kinds = {InputKind::kActivation, InputKind::kParameter},
    .evaluate = Binary<[](const at::Tensor& x, const at::Tensor& slope) {
      return at::where(x < 0, at::mul(x, slope), x);
    }>};

extern const OperatorDef kSeluOperator = {
    .op = "Selu",
    .attributes = {{"alpha", AttributeKind::kFloat}, {"gamma", AttributeKind::kFloat}},
    .validate =
        [](const Node& node) {
          QUANTRY_RETURN_IF_ERROR(CheckFinite(node, "alpha"));
          return CheckFinite(node, "gamma");
        },
    .evaluate = UnaryOf<Selu>};

extern const OperatorDef kShrinkOperator = {
    .op = "Shrink",
    .attributes = {{"bias", AttributeKind::kFloat}, {"lambd", AttributeKind::kFloat}},
    .evaluate = UnaryOf<Shrunk>};

extern const OperatorDef kThresholdedReluOperator = {
    .op = "ThresholdedRelu",
    .attributes = {{"alpha", AttributeKind::kFloat}},
    .validate = AlphaIsFinite,
    .evaluate = UnaryOf<[](const Node& node, const at::Tensor& x) {
      return at::threshold(x, Number(node, "alpha", 1.0f), 0);
    }>};

}  // namespace quantry::engine
