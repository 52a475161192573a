#include "worker/engine/passes/fold_batch_norm.h"

#include <ATen/ATen.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

constexpr float kDefaultEpsilon = 1e-5f;

// Inputs of BatchNormalization.
enum BatchNormInput : size_t { kGamma = 1, kBeta = 2, kMean = 3, kVariance = 4 };
// Inputs of Conv.
enum ConvInput : size_t { kWeight = 1, kBias = 2 };
// Inputs of DequantizeLinear.
enum DequantizeInput : size_t { kIntegers = 0, kScale = 1, kZeroPoint = 2 };

bool IsOwnInitializer(const Value* value) {
  return value != nullptr && value->is_initializer() && value->uses().size() == 1;
}

bool IsFloatInitializer(const Value* value) {
  return value != nullptr && value->is_initializer() && value->tensor().scalar_type() == at::kFloat;
}

bool IsStoredInteger(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kChar || tensor.scalar_type() == at::kShort;
}

// DequantizeLinear(int8 or int16 initializer, scale initializer), symmetric, along the output
// channels.
Node* QuantizedWeightOf(const Node& conv) {
  const Value* weight = conv.input(kWeight);
  Node* node = weight->producer();
  if (node == nullptr || node->op() != "DequantizeLinear" || weight->uses().size() != 1) {
    return nullptr;
  }
  const bool known = IsOwnInitializer(node->input(kIntegers)) &&
                     IsStoredInteger(node->input(kIntegers)->tensor()) &&
                     IsOwnInitializer(node->input(kScale)) && node->input(kZeroPoint) == nullptr &&
                     (node->input(kScale)->tensor().dim() == 0 || node->Int("axis", 1) == 0);
  return known ? node : nullptr;
}

// The Conv whose output only this BatchNormalization reads, if it can take it in.
Node* FoldableConv(const Graph& graph, const Node& norm) {
  if (norm.op() != "BatchNormalization") return nullptr;
  Node* conv = norm.input(0)->producer();
  if (conv == nullptr || conv->op() != "Conv") return nullptr;
  if (conv->output()->uses().size() != 1 || IsGraphOutput(graph, conv->output())) return nullptr;
  for (const size_t index : {kGamma, kBeta, kMean, kVariance}) {
    if (!IsFloatInitializer(norm.input(index))) return nullptr;
  }
  const Value* bias = conv->input(kBias);
  if (bias != nullptr && !(IsOwnInitializer(bias) && IsFloatInitializer(bias))) return nullptr;
  const Value* weight = conv->input(kWeight);
  const bool own_float = IsOwnInitializer(weight) && IsFloatInitializer(weight);
  return own_float || QuantizedWeightOf(*conv) != nullptr ? conv : nullptr;
}

at::Tensor Double(const Value* value) { return value->tensor().detach().to(at::kDouble); }

// An initializer's new content, trained further if the old one was.
void Replace(Graph& graph, Value* initializer, const at::Tensor& tensor) {
  const bool trained = initializer->tensor().requires_grad();
  graph.SetTensor(initializer, tensor.detach().set_requires_grad(trained));
}

void ScaleFloatWeight(Graph& graph, Value* weight, const at::Tensor& factor) {
  const at::Tensor& old = weight->tensor();
  std::vector<int64_t> shape(static_cast<size_t>(old.dim()), 1);
  shape[0] = -1;
  Replace(graph, weight, (Double(weight) * factor.view(shape)).to(at::kFloat));
}

void ScaleIntegerWeight(Graph& graph, Node* dequantize, const at::Tensor& factor) {
  Value* integers = dequantize->input(kIntegers);
  Value* scale = dequantize->input(kScale);
  std::vector<int64_t> shape(static_cast<size_t>(integers->tensor().dim()), 1);
  shape[0] = -1;
  const at::ScalarType type = integers->tensor().scalar_type();
  const at::Tensor sign = factor.sign().to(type).view(shape);
  const at::Tensor scales = (Double(scale) * factor.abs()).to(at::kFloat);
  // A product too small for a float has nothing left to dequantize, like f = 0.
  const at::Tensor vanished = scales == 0;
  graph.SetTensor(integers,
                  integers->tensor() * sign * vanished.logical_not().to(type).view(shape));
  graph.SetTensor(scale, at::where(vanished, at::ones({}, scales.options()), scales));
  dequantize->attributes["axis"] = int64_t{0};
}

std::string BiasName(const Node& conv) {
  const Value* weight = conv.input(kWeight);
  if (weight->is_initializer()) {
    return absl::StrCat(absl::StripSuffix(weight->name(), ".weight"), ".bias");
  }
  return absl::StrCat(conv.name(), ".bias");
}

void Fold(Graph& graph, Node* norm, Node* conv) {
  const double epsilon = norm->Float("epsilon", kDefaultEpsilon);
  const at::Tensor factor =
      Double(norm->input(kGamma)) / (Double(norm->input(kVariance)) + epsilon).sqrt();
  Value* old_bias = conv->input(kBias);
  at::Tensor offset = -Double(norm->input(kMean));
  if (old_bias != nullptr) offset += Double(old_bias);
  const at::Tensor bias = (Double(norm->input(kBeta)) + offset * factor).to(at::kFloat);

  if (Node* dequantize = QuantizedWeightOf(*conv)) {
    ScaleIntegerWeight(graph, dequantize, factor);
  } else {
    ScaleFloatWeight(graph, conv->input(kWeight), factor);
  }
  if (old_bias != nullptr) {
    Replace(graph, old_bias, bias);
  } else {
    Value* beta = norm->input(kBeta);
    at::Tensor tensor = bias.detach().set_requires_grad(beta->tensor().requires_grad());
    graph.SetInput(conv, kBias, graph.AddInitializer(BiasName(*conv), tensor, beta->role()));
  }
  ReplaceNode(graph, norm, conv->output());
}

}  // namespace

int64_t FoldBatchNorm(Graph& graph) {
  const at::NoGradGuard no_grad;
  int64_t folded = 0;
  for (Node* node : graph.nodes()) {
    Node* conv = FoldableConv(graph, *node);
    if (conv == nullptr) continue;
    Fold(graph, node, conv);
    ++folded;
  }
  graph.RemoveDead();
  return folded;
}

}  // namespace quantry::engine
