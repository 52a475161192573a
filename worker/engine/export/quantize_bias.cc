#include "worker/engine/export/quantize_bias.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/export/checked_qparams.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

constexpr double kLargestInteger = 2147483392;  // the largest float below 2^31, less one step
// Integer that the bias of a channel without weights gets: precise, and far from overflow.
constexpr double kFreeInteger = 1 << 20;
constexpr double kLargestWeight = 127;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

// A layer whose bias is to be quantized.
struct Layer {
  Node* node = nullptr;
  Node* weight = nullptr;       // DequantizeLinear
  const Node* input = nullptr;  // FakeQuantize
  int64_t weight_axis = 0;
};

Node* ProducerOf(const Value* value, absl::string_view op) {
  Node* node = value == nullptr ? nullptr : value->producer();
  return node != nullptr && node->op() == op ? node : nullptr;
}

bool IsInitializerOf(const Value* value, at::ScalarType type) {
  return value != nullptr && value->is_initializer() && value->tensor().scalar_type() == type;
}

std::optional<Layer> AsLayer(Node* node) {
  const bool gemm = node->op() == "Gemm";
  if (!gemm && node->op() != "Conv") return std::nullopt;
  if (gemm && (node->Float("alpha", 1) != 1 || node->Float("beta", 1) != 1)) return std::nullopt;
  const Node* input = ProducerOf(node->input(0), kFakeQuantizeOp);
  Node* weight = ProducerOf(node->input(1), "DequantizeLinear");
  if (input == nullptr || weight == nullptr) return std::nullopt;
  if (!IsInitializerOf(weight->input(0), at::kChar)) return std::nullopt;
  if (!IsInitializerOf(weight->input(1), at::kFloat)) return std::nullopt;
  const int64_t axis = gemm && node->Int("transB", 0) == 0 ? 1 : 0;
  const int64_t channels = weight->input(0)->tensor().size(axis);
  const Value* bias = node->input(2);
  if (!IsInitializerOf(bias, at::kFloat) || bias->tensor().dim() != 1 ||
      bias->tensor().numel() != channels) {
    return std::nullopt;
  }
  const at::Tensor& weight_scale = weight->input(1)->tensor();
  if (weight_scale.dim() > 0 && weight->Int("axis", 1) != axis) return std::nullopt;
  return Layer{node, weight, input, axis};
}

// The smallest weight scale of each channel with which its bias fits, as float64 [C].
at::Tensor NeededScales(const Layer& layer, float input_step, const at::Tensor& bias,
                        const at::Tensor& integers) {
  const at::Tensor rows = integers.transpose(0, layer.weight_axis).flatten(1);
  const at::Tensor empty = (rows == 0).all(1);
  const at::Tensor magnitude = bias.abs().to(at::kDouble) / input_step;
  return at::where(empty, magnitude / kFreeInteger, magnitude / kLargestInteger);
}

// Of a quantizer of activations.
absl::StatusOr<float> StepOf(const Node& fake_quantize) {
  QUANTRY_ASSIGN_OR_RETURN(const QParams qparams, CheckedQParams(fake_quantize));
  return qparams.step.item<float>();
}

// The largest bias step that is fine enough for the quantizers that read `value`, through operators
// that don't amplify; infinite if there is none. That is a quarter of the quantizer's step, so that
// rounding the bias moves less than one value in eight to a neighbouring integer, or, with many
// bits, what lets one weight of kLargestWeight drive the quantizer through its whole range.
absl::StatusOr<double> LargestBiasStep(const Value* value, double reach = kInfinite) {
  constexpr absl::string_view kPassing[] = {"Relu", "Clip", "HardSwish", "Identity", "MaxPool"};
  double largest = kInfinite;
  for (const Use& use : value->uses()) {
    const Node& node = *use.node;
    if (node.op() == kFakeQuantizeOp) {
      QUANTRY_ASSIGN_OR_RETURN(const double step, StepOf(node));
      largest = std::min(largest, std::max(step / 4, std::min(reach, 127 * step) / kLargestWeight));
    } else if (std::find(std::begin(kPassing), std::end(kPassing), node.op()) !=
               std::end(kPassing)) {
      const Value* high = node.op() == "Clip" ? node.input(2) : nullptr;
      const bool bounded = high != nullptr && high->is_initializer();
      const double clipped = bounded ? high->tensor().item<double>() : kInfinite;
      QUANTRY_ASSIGN_OR_RETURN(const double below,
                               LargestBiasStep(node.output(), std::min(reach, clipped)));
      largest = std::min(largest, below);
    }
  }
  return largest;
}

// Moves the weight scales to at least `needed` and, where that allows it, at most `largest`. False
// if that can't be done.
//   A channel whose input is next to always 0 has a tiny variance, so that folding BatchNorm gives
// it a weight scale, and by it a bias step, of many times the output's step. With a smaller scale
// its bias is right; integers are multiplied by as much, and what then does not fit is cut.
bool MoveScales(Graph& graph, const Layer& layer, const at::Tensor& needed, double largest) {
  Value* scale = layer.weight->input(1);
  Value* stored = layer.weight->input(0);
  const at::Tensor old = scale->tensor().to(at::kDouble).expand({needed.numel()});
  const at::Tensor integers = stored->tensor();
  const at::Tensor empty =
      (integers.transpose(0, layer.weight_axis).flatten(1) == 0).all(1).logical_and(needed > 0);
  const at::Tensor moved =
      at::where(empty, needed, at::maximum(old / at::ceil(old / largest).clamp_min(1), needed));
  if (at::equal(moved, old)) return true;
  if (layer.weight->output()->uses().size() != 1 || stored->uses().size() != 1 ||
      scale->uses().size() != 1) {
    return false;
  }
  const at::Tensor ratio = BroadcastAlong(old / moved, integers, layer.weight_axis);
  graph.SetTensor(stored, at::round(integers.to(at::kDouble) * ratio)
                              .clamp(-kLargestWeight, kLargestWeight)
                              .to(at::kChar));
  graph.SetTensor(scale, moved.to(at::kFloat));
  layer.weight->attributes["axis"] = layer.weight_axis;
  return true;
}

absl::Status QuantizeBias(Graph& graph, const Layer& layer) {
  const Value* bias = layer.node->input(2);
  const std::string name = bias->name();
  const at::Tensor values = bias->tensor().detach();
  QUANTRY_ASSIGN_OR_RETURN(const float input_step, StepOf(*layer.input));
  QUANTRY_ASSIGN_OR_RETURN(const double largest, LargestBiasStep(layer.node->output()));
  const at::Tensor needed =
      NeededScales(layer, input_step, values, layer.weight->input(0)->tensor());
  if (!MoveScales(graph, layer, needed, largest / input_step)) return absl::OkStatus();
  const at::Tensor step = layer.weight->input(1)->tensor() * input_step;
  const at::Tensor stored = at::round(values.to(at::kDouble) / step.to(at::kDouble))
                                .clamp(-kLargestInteger, kLargestInteger)
                                .to(at::kInt);
  Value* quantized =
      graph.AddInitializer(absl::StrCat(name, ".q"), stored, InitializerRole::kConstant);
  Value* scale =
      graph.AddInitializer(absl::StrCat(name, ".step"), step, InitializerRole::kConstant);
  const Node* dequantize = graph.AddNode("DequantizeLinear", absl::StrCat(name, ".dq"),
                                         {quantized, scale}, {{"axis", int64_t{0}}});
  graph.SetInput(layer.node, 2, dequantize->output());
  return absl::OkStatus();
}

}  // namespace

absl::Status QuantizeBiases(Graph& graph) {
  const at::NoGradGuard no_grad;
  for (Node* node : graph.nodes()) {
    if (const std::optional<Layer> layer = AsLayer(node)) {
      QUANTRY_RETURN_IF_ERROR(QuantizeBias(graph, *layer));
    }
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
