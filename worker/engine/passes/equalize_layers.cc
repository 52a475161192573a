#include "worker/engine/passes/equalize_layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

constexpr int kMostSweeps = 40;
constexpr double kConverged = 1e-4;
constexpr double kPracticallyZero = 1e-4;  // of the largest channel
constexpr absl::string_view kHomogeneous[] = {
    "Relu",          "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool",
    "GlobalMaxPool", "Flatten",   "Dropout"};

enum LayerInput : size_t { kX = 0, kWeight = 1, kBias = 2 };

struct Pair {
  Node* first = nullptr;
  Node* second = nullptr;
};

bool IsOwnFloat(const Value* value) {
  return value != nullptr && value->is_initializer() && value->uses().size() == 1 &&
         value->tensor().scalar_type() == at::kFloat;
}

// A layer whose weight can be scaled by channels.
bool IsScalable(const Node& node) {
  if (node.op() == "Gemm") {
    return node.Int("transA", 0) == 0 && IsOwnFloat(node.input(kWeight)) &&
           node.input(kWeight)->tensor().dim() == 2;
  }
  return node.op() == "Conv" && IsOwnFloat(node.input(kWeight));
}

int64_t OutputChannels(const Node& layer) {
  const at::Tensor& weight = layer.input(kWeight)->tensor();
  return weight.size(layer.op() == "Gemm" && layer.Int("transB", 0) == 0 ? 1 : 0);
}

// Whether dividing its outputs is possible: there is no bias, or one of its own with an element per
// channel.
bool IsDivisible(const Node& layer) {
  const Value* bias = layer.input(kBias);
  return bias == nullptr || (IsOwnFloat(bias) && bias->tensor().dim() == 1 &&
                             bias->tensor().size(0) == OutputChannels(layer));
}

int64_t InputElements(const Node& layer) {
  const at::Tensor& weight = layer.input(kWeight)->tensor();
  if (layer.op() == "Gemm") return weight.size(layer.Int("transB", 0) == 0 ? 0 : 1);
  return weight.size(1) * layer.Int("group", 1);
}

// The weight with a dimension for the output channels, then all else. A view.
at::Tensor ByOutput(const Node& layer, const at::Tensor& weight) {
  if (layer.op() == "Gemm") return layer.Int("transB", 0) == 0 ? weight.t() : weight;
  return weight.view({weight.size(0), -1});
}

// The weight as [a, other, b, rest], where a * b are the `channels` input channels in order. A
// view.
at::Tensor ByInput(const Node& layer, const at::Tensor& weight, int64_t channels) {
  if (layer.op() == "Gemm") {
    // Flatten made a column of each place of a channel.
    const at::Tensor rows = layer.Int("transB", 0) == 0 ? weight : weight.t();
    return rows.view({channels, rows.size(0) / channels, rows.size(1)})
        .transpose(1, 2)
        .unsqueeze(2);
  }
  const int64_t groups = layer.Int("group", 1);
  return weight.view({groups, weight.size(0) / groups, weight.size(1), -1});
}

bool IsHomogeneous(const Node& node) {
  if (node.op() == "Flatten" && node.Int("axis", 1) != 1) return false;
  return std::find(std::begin(kHomogeneous), std::end(kHomogeneous), node.op()) !=
         std::end(kHomogeneous);
}

// The only reader of `value` at input 0; null if it is read elsewhere too.
Node* OnlyReader(const Graph& graph, const Value* value) {
  if (value->uses().size() != 1 || IsGraphOutput(graph, value)) return nullptr;
  const Use& use = value->uses().front();
  return use.index == kX ? use.node : nullptr;
}

// The pair that starts at `first`, if there is one.
std::optional<Pair> PairFrom(const Graph& graph, Node* first, int64_t& clipped) {
  if (!IsScalable(*first) || !IsDivisible(*first)) return std::nullopt;
  bool clip = false;
  Node* next = OnlyReader(graph, first->output());
  while (next != nullptr && (IsHomogeneous(*next) || next->op() == "Clip")) {
    clip = clip || next->op() == "Clip";
    next = OnlyReader(graph, next->output());
  }
  if (next == nullptr || !IsScalable(*next)) return std::nullopt;
  const int64_t channels = OutputChannels(*first);
  const int64_t elements = InputElements(*next);
  const bool fits = next->op() == "Gemm" ? elements % channels == 0 : elements == channels;
  if (!fits) return std::nullopt;
  if (clip) {
    ++clipped;
    return std::nullopt;
  }
  return Pair{first, next};
}

// Weights and biases in double, so that sweeps don't add up rounding.
class Tensors {
 public:
  at::Tensor& Of(Value* value) {
    const auto [entry, is_new] = tensors_.emplace(value, at::Tensor());
    if (is_new) entry->second = value->tensor().detach().to(at::kDouble).contiguous();
    return entry->second;
  }
  void Store(Graph& graph) const {
    for (const auto& [value, tensor] : tensors_) {
      const bool trained = value->tensor().requires_grad();
      graph.SetTensor(value, tensor.to(at::kFloat).set_requires_grad(trained));
    }
  }

 private:
  std::map<Value*, at::Tensor> tensors_;
};

// Balances one pair; returns the largest |s - 1|.
double Balance(const Pair& pair, Tensors& tensors) {
  at::Tensor& first = tensors.Of(pair.first->input(kWeight));
  at::Tensor& second = tensors.Of(pair.second->input(kWeight));
  const int64_t channels = OutputChannels(*pair.first);
  at::Tensor outputs = ByOutput(*pair.first, first);
  at::Tensor inputs = ByInput(*pair.second, second, channels);
  const at::Tensor r1 = outputs.abs().amax(1);
  const at::Tensor r2 = inputs.abs().amax({1, 3}).reshape({channels});
  const at::Tensor alive =
      r1.gt(kPracticallyZero * r1.max()).logical_and(r2.gt(kPracticallyZero * r2.max()));
  const at::Tensor s = at::where(alive, (r1 / r2).sqrt(), at::ones_like(r1));
  outputs.div_(s.unsqueeze(1));
  inputs.mul_(s.view({inputs.size(0), 1, inputs.size(2), 1}));
  if (Value* bias = pair.first->input(kBias)) tensors.Of(bias).div_(s);
  return (s - 1).abs().max().item<double>();
}

}  // namespace

Equalization EqualizeLayers(Graph& graph) {
  const at::NoGradGuard no_grad;
  Equalization done;
  std::vector<Pair> pairs;
  for (Node* node : graph.nodes()) {
    if (const auto pair = PairFrom(graph, node, done.clipped)) pairs.push_back(*pair);
  }
  done.pairs = static_cast<int64_t>(pairs.size());
  Tensors tensors;
  double change = pairs.empty() ? 0 : 1;
  while (change > kConverged && done.sweeps < kMostSweeps) {
    change = 0;
    for (const Pair& pair : pairs) change = std::max(change, Balance(pair, tensors));
    ++done.sweeps;
  }
  tensors.Store(graph);
  return done;
}

}  // namespace quantry::engine
