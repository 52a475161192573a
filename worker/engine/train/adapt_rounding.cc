#include "worker/engine/train/adapt_rounding.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/ops/window.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

enum LayerInput : size_t { kX = 0, kWeight = 1 };

// What is closer to a whole number stays there.
constexpr double kWhole = 1e-4;
// A turn must take off more than this share of a row's error.
constexpr double kLeastGain = 1e-9;

// The FakeQuantize node of a weight that this layer alone has; null: there is none.
Node* WeightQuantizer(const Node& layer) {
  const Value* weight = layer.inputs().size() > kWeight ? layer.input(kWeight) : nullptr;
  Node* node = weight == nullptr ? nullptr : weight->producer();
  const bool own = node != nullptr && node->op() == kFakeQuantizeOp &&
                   node->input(kFakeQuantizeX)->is_initializer() && weight->uses().size() == 1 &&
                   node->input(kFakeQuantizeX)->uses().size() == 1;
  return own ? node : nullptr;
}

// A weight as one row per output; and back.
at::Tensor RowsOf(const Node& layer, const at::Tensor& weight) {
  if (layer.op() == "Conv") return weight.flatten(1);
  return layer.Int("transB", 0) != 0 ? weight : weight.t();
}

at::Tensor FromRows(const Node& layer, const at::Tensor& rows, const at::Tensor& weight) {
  if (layer.op() == "Conv") return rows.view(weight.sizes());
  return layer.Int("transB", 0) != 0 ? rows : rows.t();
}

// A layer whose outputs are rows of its weight times a column of inputs.
bool IsKnownLayer(const Node& layer) {
  const Node* quantizer = WeightQuantizer(layer);
  if (quantizer == nullptr) return false;
  const at::Tensor& weight = quantizer->input(kFakeQuantizeX)->tensor();
  const bool conv = layer.op() == "Conv" && weight.dim() == 4;
  const bool gemm = layer.op() == "Gemm" && layer.Int("transA", 0) == 0;
  return (conv || gemm) && weight.scalar_type() == at::kFloat && weight.numel() > 0 &&
         RowsOf(layer, weight).size(1) <= kLargestFanIn &&
         EvaluationQParams(*quantizer).mapping == Mapping::kNone;
}

// The layer's inputs as columns [groups, k, n], those that an output is a product with.
at::Tensor ColumnsOf(const Node& layer, const at::Tensor& weight, const at::Tensor& x) {
  if (layer.op() == "Gemm") return x.t().unsqueeze(0);
  const Window window = WindowOf(layer, weight.sizes().slice(2), x.sizes().slice(2));
  const at::Tensor columns = at::im2col(PadSpatial(x, window, 0.0).contiguous(), window.kernel,
                                        window.dilations, {0, 0}, window.strides);
  const int64_t groups = layer.Int("group", 1);
  return columns.view({groups, columns.size(1) / groups, columns.size(2)});
}

// Adds what a batch has to H, [groups, k, k].
void AddUp(const Node& layer, const at::Tensor& weight, const at::Tensor& x, at::Tensor& gram) {
  // Pictures one by one: columns take as many times more memory as the kernel has elements.
  const int64_t parts = layer.op() == "Conv" ? x.size(0) : 1;
  for (int64_t i = 0; i < parts; ++i) {
    const at::Tensor part = layer.op() == "Conv" ? x.narrow(0, i, 1) : x;
    const at::Tensor columns = ColumnsOf(layer, weight, part);
    const at::Tensor product = at::bmm(columns, columns.transpose(1, 2));
    gram.defined() ? gram.add_(product) : gram = product;
  }
}

// Makes the weight what it is quantized to, rounded by H. Returns its SQNR in decibel.
double Adapt(Graph& graph, const Node& layer, const at::Tensor& gram) {
  const Node& quantizer = *WeightQuantizer(layer);
  Value* value = quantizer.input(kFakeQuantizeX);
  const at::Tensor weight = value->tensor().detach();
  const QParams qparams = EvaluationQParams(quantizer);
  const at::Tensor step = BroadcastAlong(qparams.step, weight, SpecOf(quantizer).axis);
  const at::Tensor rows = RowsOf(layer, weight.to(at::kDouble) / step.to(at::kDouble));
  std::vector<at::Tensor> rounded;
  const std::vector<at::Tensor> groups = rows.chunk(gram.size(0));
  for (size_t i = 0; i < groups.size(); ++i) {
    rounded.push_back(RoundAdaptively(groups[i], gram[static_cast<int64_t>(i)].to(at::kDouble),
                                      qparams.qmin, qparams.qmax));
  }
  const at::Tensor integers = FromRows(layer, at::cat(rounded), weight);
  const at::Tensor adapted = (integers * step).to(at::kFloat).contiguous();
  graph.SetTensor(value, adapted);
  const auto energy = [](const at::Tensor& x) {
    return x.square().sum(at::kDouble).item<double>();
  };
  return 10.0 * std::log10(energy(weight) / energy(weight - adapted));
}

}  // namespace

at::Tensor RoundAdaptively(const at::Tensor& rows, const at::Tensor& gram, int64_t qmin,
                           int64_t qmax) {
  const at::Tensor nearest = rows.round().clamp(qmin, qmax);
  const at::Tensor error = nearest - rows;
  // By how much a turn moves each weight: to the other side; 0: it may not.
  at::Tensor turn = at::where(error > 0, -at::ones_like(rows), at::ones_like(rows));
  const at::Tensor other = nearest + turn;
  turn.masked_fill_((other < qmin).logical_or(other > qmax).logical_or(error.abs() < kWhole), 0);
  at::Tensor result = nearest.clone();
  at::Tensor slope = at::matmul(error, gram);  // e H
  const at::Tensor least = (slope * error).sum(1) * -kLeastGain;
  const at::Tensor curvature = gram.diagonal();
  const at::Tensor row = at::arange(rows.size(0), at::kLong);
  // Every turn makes e H e' smaller, so this ends; rarely is a weight turned twice.
  for (int64_t turns = 0; turns < 4 * rows.size(1); ++turns) {
    const auto [gain, column] = (turn * (2 * slope + turn * curvature)).min(1);
    const at::Tensor turning = gain.lt(least).nonzero().flatten();
    if (turning.numel() == 0) break;
    const at::Tensor columns = column.index({turning});
    const at::Tensor moved = turn.index({turning, columns});
    result.index_put_({turning, columns}, moved, /*accumulate=*/true);
    turn.index_put_({turning, columns}, -moved);
    slope.index_add_(0, turning, moved.unsqueeze(1) * gram.index_select(0, columns));
  }
  return result;
}

absl::StatusOr<std::map<std::string, double>> AdaptRounding(Graph& graph, Loader& loader,
                                                            int64_t batches,
                                                            const CalibrationObserver& observer) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> grams;  // by layer
  std::map<std::string, at::Tensor> weights;
  for (const Node* node : graph.nodes()) {
    if (!IsKnownLayer(*node)) continue;
    weights[node->name()] = WeightQuantizer(*node)->input(kFakeQuantizeX)->tensor();
  }
  // A float copy, so that observers see nothing of this.
  Graph full = graph.Clone();
  RemoveFakeQuant(full);
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(full));
  const Executor::NodeHook look = [&](const Node& node, absl::Span<const at::Tensor> inputs,
                                      absl::Span<const at::Tensor>) -> absl::Status {
    const auto weight = weights.find(node.name());
    if (weight == weights.end()) return absl::OkStatus();
    try {
      AddUp(node, weight->second, inputs[kX], grams[node.name()]);
    } catch (const c10::Error& error) {
      return absl::InternalError(absl::StrCat("adaptive rounding of '", node.name(),
                                              "': ", error.what_without_backtrace()));
    }
    return absl::OkStatus();
  };
  QUANTRY_RETURN_IF_ERROR(
      RunBatches(*executor, loader, batches, RunPhase::kEvaluate, look, observer));
  std::map<std::string, double> sqnr_db;
  for (const Node* node : graph.nodes()) {
    const auto gram = grams.find(node->name());
    if (gram == grams.end() || !gram->second.defined()) continue;
    sqnr_db[WeightQuantizer(*node)->name()] = Adapt(graph, *node, gram->second);
    if (observer) QUANTRY_RETURN_IF_ERROR(observer(batches, batches));
  }
  return sqnr_db;
}

}  // namespace quantry::engine
