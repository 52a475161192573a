#include "worker/engine/fuse/layer_operator.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <memory>
#include <utility>

#include "worker/engine/fuse/layer_run.h"
#include "worker/engine/fuse/prepare_chain.h"
#include "worker/engine/ops/batch_normalization.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/ops/window.h"
#include "worker/engine/quant/cpu_kernels.h"

namespace quantry::engine {
namespace {

enum Input : size_t { kX = 0, kOperand = 1 };

constexpr int kMostWeightBits = 8;

// Whether what the quantizer of a weight gives are whole numbers times a step per output channel.
bool GivesIntegers(const Node& node) {
  if (node.op() != kFakeQuantizeOp) return false;
  const FakeQuantizeSpec spec = SpecOf(node);
  return spec.is_weight && spec.bits <= kMostWeightBits && spec.axis <= 0 &&
         spec.quantizer != "dorefa";
}

// Of a layer that can be one of these; 0 for other nodes. A Gemm is a convolution of pictures of
// one pixel.
int64_t WeightDimensions(const Node& node) {
  if (node.op() == "Conv") return 4;
  const bool plain = node.op() == "Gemm" && node.Int("transA", 0) == 0 &&
                     node.Int("transB", 0) == 1 && node.Float("alpha", 1.0f) == 1.0f &&
                     node.Float("beta", 1.0f) == 1.0f;
  return plain ? 2 : 0;
}

// One step for each of `channels` output channels.
std::vector<double> PerChannel(const at::Tensor& steps, int64_t channels) {
  return AsDoubles(steps.dim() == 0 ? steps.expand({channels}) : steps);
}

// Whether the quantizer's threshold is the largest magnitude of the very weight. Then none is
// clipped, and the gradient of the quantized weight is that of the weight.
bool ReachesAll(const FakeQuantizeSpec& spec) {
  return (spec.quantizer == "abs_max" || spec.quantizer == "channel_wise_abs_max") && !spec.pact &&
         spec.rounding == Rounding::kHalfToEven && spec.gradient == InputGradient::kMasked;
}

// [C, 1]: the largest magnitude of each output channel.
at::Tensor Magnitudes(const at::Tensor& weight) {
  at::Tensor magnitudes = at::empty({weight.size(0), 1}, at::kFloat);
  const int64_t row = weight.numel() / weight.size(0);
  const float* values = weight.data_ptr<float>();
  float* to = magnitudes.data_ptr<float>();
  at::parallel_for(0, weight.size(0), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) to[c] = AbsMax(values + c * row, row);
  });
  return magnitudes;
}

// What a run convolves with: whole numbers times steps, up to rounding, whose gradient is passed on
// to the parameter.
struct WeightOnGrid {
  at::Tensor values;
  std::vector<double> steps;
};

WeightOnGrid WeightFor(const Node& grid, const EvaluateContext& context) {
  const at::Tensor weight = InitializerOf(&grid, kFakeQuantizeX);
  const std::vector<at::Tensor> inputs = InitializersOf(grid);
  if (ReachesAll(SpecOf(grid)) && weight.is_contiguous()) {
    const at::NoGradGuard no_grad;
    const QParams qparams = WeightGridByMagnitudes(
        grid, inputs, [&] { return Magnitudes(weight.detach()); }, context);
    return {weight, PerChannel(qparams.step, weight.size(0))};
  }
  const at::Tensor values =
      FindOperator(kFakeQuantizeOp)->evaluate(grid, inputs, context).at(0).contiguous();
  return {values, PerChannel(EvaluationQParams(grid).step, weight.size(0))};
}

}  // namespace

std::vector<const Node*> LayerNodes::All() const {
  if (convolution == nullptr) return {};
  std::vector<const Node*> nodes = {weight_grid, convolution};
  for (const Node* node : chain.All()) nodes.push_back(node);
  return nodes;
}

LayerNodes MatchLayer(const Graph& graph, const Node* convolution,
                      const absl::flat_hash_set<const Node*>& taken) {
  const Node& node = *convolution;
  const int64_t dimensions = WeightDimensions(node);
  if (dimensions == 0 || node.input(0) == nullptr || node.input(0)->is_initializer()) return {};
  const Value* weight = node.input(1);
  const Node* grid = weight == nullptr ? nullptr : weight->producer();
  size_t index = 0;
  if (grid == nullptr || taken.contains(grid) || !GivesIntegers(*grid)) return {};
  if (OnlyReader(graph, *weight, &index) != convolution) return {};
  const at::Tensor values = InitializerOf(grid, kFakeQuantizeX);
  if (!values.defined() || values.dim() != dimensions) return {};
  const bool has_bias = node.inputs().size() > 2 && node.input(2) != nullptr;
  if (has_bias && !node.input(2)->is_initializer()) return {};
  LayerNodes layer = {.weight_grid = grid, .convolution = convolution};
  const Node* next = OnlyReader(graph, *node.output(), &index);
  if (next != nullptr) layer.chain = MatchChain(graph, next, taken, index);
  return layer;
}

LayerOperator::LayerOperator(const LayerNodes& layer)
    : FusedOperator(layer.All(), {layer.convolution->input(0), layer.chain.operand}),
      layer_(layer) {
  SetActivation(layer.chain.activation, activation_);
}

ConvolutionShape LayerOperator::ShapeFor(const at::Tensor& x) const {
  const at::Tensor weight = InitializerOf(layer_.weight_grid, kFakeQuantizeX);
  ConvolutionShape shape = {
      .batch = x.size(0), .in_channels = x.size(1), .out_channels = weight.size(0)};
  if (weight.dim() == 2) return shape;
  shape.groups = layer_.convolution->Int("group", 1);
  const Window window = WindowOf(*layer_.convolution, weight.sizes().slice(2), x.sizes().slice(2));
  for (size_t i = 0; i < 2; ++i) {
    shape.picture[i] = x.size(static_cast<int64_t>(i) + 2);
    shape.kernel[i] = window.kernel[i];
    shape.strides[i] = window.strides[i];
    shape.dilations[i] = window.dilations[i];
    shape.begin[i] = window.begin[i];
    shape.end[i] = window.end[i];
  }
  return shape;
}

bool LayerOperator::Accepts(absl::Span<const RunValue> inputs,
                            const EvaluateContext& context) const {
  const at::Tensor& x = inputs[kX].tensor;
  if (context.precision != Precision::kBf16 || !IsRunForChains(context)) return false;
  const at::Tensor weight = InitializerOf(layer_.weight_grid, kFakeQuantizeX);
  if (!inputs[kX].integers() || x.dim() != weight.dim() || x.numel() == 0) return false;
  if (!x.is_contiguous(*RowFormat(x))) return false;
  if (!GridsAreStarted(layer_.chain)) return false;
  const ConvolutionShape shape = ShapeFor(x);
  // What is wrong with the shapes is for the convolution itself to say.
  if (weight.size(1) * shape.groups != shape.in_channels ||
      shape.out_channels % shape.groups != 0) {
    return false;
  }
  const at::Tensor bias = InitializerOf(layer_.convolution, 2);
  if (bias.defined() && (bias.dim() != 1 || bias.numel() != shape.out_channels)) return false;
  const auto [height, width] = shape.Result();
  if (height <= 0 || width <= 0 || shape.batch * height * width < 2) return false;
  const RunValue& operand = inputs[kOperand];
  std::vector<int64_t> sizes = {shape.batch, shape.out_channels, height, width};
  sizes.resize(static_cast<size_t>(x.dim()));
  if (operand.tensor.defined()) {
    if (!operand.integers() && operand.tensor.scalar_type() != at::kFloat) return false;
    if (operand.tensor.sizes() != at::IntArrayRef(sizes)) return false;
  }
  return NormFits(layer_.chain.norm, shape.out_channels) && Bf16Convolution::Of(shape) != nullptr;
}

RunValue LayerOperator::Run(absl::Span<const RunValue> inputs,
                            const EvaluateContext& context) const {
  const RunValue& x = inputs[kX];
  RunValue operand = inputs[kOperand];
  if (operand.tensor.defined()) {
    operand.tensor = operand.tensor.contiguous(*RowFormat(x.tensor));
  }
  const ConvolutionShape shape = ShapeFor(x.tensor);
  const WeightOnGrid weight = WeightFor(*layer_.weight_grid, context);
  auto run = c10::make_intrusive<LayerRun>(shape, x.step, weight.steps);
  const at::Tensor bias = InitializerOf(layer_.convolution, 2);
  const at::Tensor sums = run->Convolve(x.tensor, weight.values);
  ChainInputs chain = {.x = sums, .r = operand, .factor = run->factor()};
  if (bias.defined()) chain.bias = AsDoubles(bias);
  chain.gradient_factor = 1.0 / static_cast<double>(x.step);
  run->chain = PrepareChain(layer_.chain, activation_, chain, context);
  return RunLayer({.x = x.tensor,
                   .weight = weight.values,
                   .bias = bias,
                   .r = operand.tensor,
                   .gamma = InitializerOf(layer_.chain.norm, kBatchNormGamma),
                   .beta = InitializerOf(layer_.chain.norm, kBatchNormBeta)},
                  sums, run);
}

}  // namespace quantry::engine
