#include "worker/engine/fuse/layer_operator.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "worker/engine/fuse/activation_nodes.h"
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

// How a layer uses its weight: as so many dimensions, of which one is the output channels. A linear
// layer is the 1 x 1 convolution of one picture whose pixels are the rows: of pictures of one pixel
// each, oneDNN would do one after the other.
struct WeightUse {
  int64_t dimensions = 0;  // 0: the node is none that can be one of these
  int64_t channel_axis = 0;

  bool linear() const { return dimensions == 2; }
};

WeightUse WeightUseOf(const Node& node) {
  if (node.op() == "Conv") return {.dimensions = 4};
  if (node.op() == "MatMul") return {.dimensions = 2, .channel_axis = 1};
  const bool plain = node.op() == "Gemm" && node.Int("transA", 0) == 0 &&
                     node.Float("alpha", 1.0f) == 1.0f && node.Float("beta", 1.0f) == 1.0f;
  if (!plain) return {};
  return {.dimensions = 2, .channel_axis = node.Int("transB", 0) == 0 ? 1 : 0};
}

// Whether what the quantizer of a weight gives are whole numbers times a step per output channel.
bool GivesIntegers(const Node& node, int64_t channel_axis) {
  if (node.op() != kFakeQuantizeOp) return false;
  const FakeQuantizeSpec spec = SpecOf(node);
  return spec.is_weight && spec.bits <= kMostWeightBits &&
         (spec.axis < 0 || spec.axis == channel_axis) && spec.quantizer != "dorefa_weight";
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

// What a run convolves with, output channels first: whole numbers times steps, up to rounding,
// whose gradient is passed on to the parameter.
struct WeightOnGrid {
  at::Tensor values;
  std::vector<double> steps;
};

WeightOnGrid WeightFor(const Node& grid, int64_t channel_axis, const EvaluateContext& context) {
  const at::Tensor weight = InitializerOf(&grid, kFakeQuantizeX);
  const std::vector<at::Tensor> inputs = InitializersOf(grid);
  if (channel_axis == 0 && ReachesAll(SpecOf(grid)) && weight.is_contiguous()) {
    const at::NoGradGuard no_grad;
    const QParams qparams = WeightGridByMagnitudes(
        grid, inputs, [&] { return Magnitudes(weight.detach()); }, context);
    return {weight, PerChannel(qparams.step, weight.size(0))};
  }
  const at::Tensor values = FindOperator(kFakeQuantizeOp)->evaluate(grid, inputs, context).at(0);
  return {values.transpose(0, channel_axis).contiguous(),
          PerChannel(EvaluationQParams(grid).step, weight.size(channel_axis))};
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
  const WeightUse use = WeightUseOf(node);
  if (use.dimensions == 0 || node.input(0) == nullptr || node.input(0)->is_initializer()) return {};
  const Value* weight = node.input(1);
  const Node* grid = weight == nullptr ? nullptr : weight->producer();
  size_t index = 0;
  if (grid == nullptr || taken.contains(grid) || !GivesIntegers(*grid, use.channel_axis)) return {};
  if (OnlyReader(graph, *weight, &index) != convolution) return {};
  const at::Tensor values = InitializerOf(grid, kFakeQuantizeX);
  if (!values.defined() || values.dim() != use.dimensions) return {};
  const bool has_bias = node.inputs().size() > 2 && node.input(2) != nullptr;
  if (has_bias && !node.input(2)->is_initializer()) return {};
  LayerNodes layer = {.weight_grid = grid, .convolution = convolution};
  const Node* next = OnlyReader(graph, *node.output(), &index);
  if (next != nullptr) layer.chain = MatchChain(graph, next, taken, index);
  // A chain's bias is along the last axis, and one bias is enough.
  if (layer.chain.bias != nullptr && (has_bias || !use.linear())) layer.chain = {};
  return layer;
}

LayerOperator::LayerOperator(const LayerNodes& layer)
    : FusedOperator(layer.All(), {layer.convolution->input(0), layer.chain.operand}),
      layer_(layer),
      channel_axis_(WeightUseOf(*layer.convolution).channel_axis),
      linear_(WeightUseOf(*layer.convolution).linear()) {
  SetActivation(layer.chain.activation, activation_);
}

at::Tensor LayerOperator::Bias() const {
  if (layer_.chain.bias != nullptr) return layer_.chain.bias_vector()->tensor();
  return InitializerOf(layer_.convolution, 2);
}

ConvolutionShape LayerOperator::ShapeFor(const at::Tensor& x) const {
  const at::Tensor weight = InitializerOf(layer_.weight_grid, kFakeQuantizeX);
  const int64_t out_channels = weight.size(channel_axis_);
  if (linear_) {
    const int64_t in_channels = x.size(-1);
    return {.in_channels = in_channels,
            .out_channels = out_channels,
            .picture = {1, x.numel() / in_channels}};
  }
  ConvolutionShape shape = {
      .batch = x.size(0), .in_channels = x.size(1), .out_channels = out_channels};
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

std::vector<int64_t> LayerOperator::ResultSizes(const at::Tensor& x,
                                                const ConvolutionShape& shape) const {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[linear_ ? sizes.size() - 1 : 1] = shape.out_channels;
  const auto picture = shape.Result();
  if (!linear_) std::copy(picture.begin(), picture.end(), sizes.begin() + 2);
  return sizes;
}

bool LayerOperator::InputsFit(const at::Tensor& x, const RunValue& operand) const {
  const at::Tensor weight = InitializerOf(layer_.weight_grid, kFakeQuantizeX);
  const ConvolutionShape shape = ShapeFor(x);
  // What is wrong with the shapes is for the convolution itself to say.
  if (weight.size(1 - channel_axis_) * shape.groups != shape.in_channels ||
      shape.out_channels % shape.groups != 0) {
    return false;
  }
  const at::Tensor bias = Bias();
  if (bias.defined() && (bias.dim() != 1 || bias.numel() != shape.out_channels)) return false;
  const auto [height, width] = shape.Result();
  if (height <= 0 || width <= 0 || shape.batch * height * width < 2) return false;
  if (operand.tensor.defined()) {
    if (!operand.integers() && operand.tensor.scalar_type() != at::kFloat) return false;
    if (operand.tensor.sizes() != at::IntArrayRef(ResultSizes(x, shape))) return false;
  }
  return NormFits(layer_.chain.norm, shape.out_channels) && Bf16Convolution::Of(shape) != nullptr;
}

bool LayerOperator::Accepts(absl::Span<const RunValue> inputs,
                            const EvaluateContext& context) const {
  const at::Tensor& x = inputs[kX].tensor;
  if (context.precision != Precision::kBf16 || !IsRunForChains(context)) return false;
  if (!inputs[kX].integers() || x.numel() == 0 || !GridsAreStarted(layer_.chain)) return false;
  if (linear_ ? x.dim() < 2 : x.dim() != 4) return false;
  // Gemm has no rows of rows; a norm would have its channels elsewhere.
  if (x.dim() > 2 && linear_ && layer_.chain.norm != nullptr) return false;
  return x.is_contiguous(Format()) && InputsFit(x, inputs[kOperand]);
}

RunValue LayerOperator::Run(absl::Span<const RunValue> inputs,
                            const EvaluateContext& context) const {
  const RunValue& x = inputs[kX];
  RunValue operand = inputs[kOperand];
  const ConvolutionShape shape = ShapeFor(x.tensor);
  const std::vector<int64_t> sizes = ResultSizes(x.tensor, shape);
  // A linear layer's rows of rows are so many rows.
  const at::Tensor rows = linear_ ? x.tensor.view({-1, shape.in_channels}) : x.tensor;
  if (operand.tensor.defined()) {
    operand.tensor = operand.tensor.contiguous(Format());
    if (linear_) operand.tensor = operand.tensor.view({-1, shape.out_channels});
  }
  const WeightOnGrid weight = WeightFor(*layer_.weight_grid, channel_axis_, context);
  auto run = c10::make_intrusive<LayerRun>(shape, x.step, weight.steps);
  const at::Tensor bias = Bias();
  const at::Tensor sums = run->Convolve(rows, weight.values);
  ChainInputs chain = {.x = sums, .r = operand, .factor = run->factor()};
  if (bias.defined()) chain.bias = AsDoubles(bias);
  chain.gradient_factor = 1.0 / static_cast<double>(x.step);
  chain.sizes = sizes;
  run->chain = PrepareChain(layer_.chain, activation_, chain, context);
  RunValue result = RunLayer({.x = rows,
                              .weight = weight.values,
                              .bias = bias,
                              .r = operand.tensor,
                              .gamma = InitializerOf(layer_.chain.norm, kBatchNormGamma),
                              .beta = InitializerOf(layer_.chain.norm, kBatchNormBeta)},
                             sums, run);
  if (linear_) result.tensor = result.tensor.view(sizes);
  return result;
}

}  // namespace quantry::engine
