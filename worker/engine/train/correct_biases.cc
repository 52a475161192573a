#include "worker/engine/train/correct_biases.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

enum LayerInput : size_t { kX = 0, kWeight = 1, kBias = 2 };

bool IsKnownLayer(const Node& node) {
  return node.op() == "Conv" || node.op() == "ConvTranspose" ||
         (node.op() == "Gemm" && node.Float("beta", 1.0f) != 0.0f);
}

// The FakeQuantize node of the layer's weight; null if it has none.
const Node* WeightQuantizer(const Node& layer) {
  const Value* weight = layer.input(kWeight);
  const Node* node = weight == nullptr ? nullptr : weight->producer();
  const bool quantizer = node != nullptr && node->op() == kFakeQuantizeOp &&
                         node->input(kFakeQuantizeX)->is_initializer();
  return quantizer ? node : nullptr;
}

int64_t OutputChannels(const Node& layer, const at::Tensor& weight) {
  if (layer.op() == "Conv") return weight.size(0);
  if (layer.op() == "ConvTranspose") return weight.size(1) * layer.Int("group", 1);
  return weight.size(layer.Int("transB", 0) == 0 ? 1 : 0);
}

bool HasPlainBias(const Node& layer, int64_t channels) {
  const Value* bias = layer.input(kBias);
  return bias == nullptr || (bias->is_initializer() && bias->tensor().scalar_type() == at::kFloat &&
                             bias->tensor().dim() == 1 && bias->tensor().size(0) == channels);
}

// W~ - W.
at::Tensor RoundingError(const Node& quantizer) {
  std::vector<at::Tensor> inputs;
  for (const Value* input : quantizer.inputs()) {
    inputs.push_back(input == nullptr ? at::Tensor() : input->tensor());
  }
  const OperatorDef& def = *FindOperator(kFakeQuantizeOp);
  return def.evaluate(quantizer, inputs, {.phase = RunPhase::kEvaluate}).at(0) -
         inputs[kFakeQuantizeX];
}

// What rounding does to a layer's mean output, summed up over batches.
struct Shift {
  at::Tensor rounding;  // W~ - W
  at::Tensor sum;       // double [channels]
  int64_t count = 0;    // outputs per channel
};

// Takes in one run of the float layer.
void Observe(const Node& layer, const at::Tensor& x, Shift& shift) {
  const OperatorDef& def = *FindOperator(layer.op());
  const at::Tensor error =
      def.evaluate(layer, {x, shift.rounding}, {.phase = RunPhase::kEvaluate}).at(0);
  const int64_t axis = layer.op() == "Gemm" ? error.dim() - 1 : 1;
  const int64_t channels = error.size(axis);
  const at::Tensor sum = error.movedim(axis, 0).reshape({channels, -1}).sum(1, false, at::kDouble);
  shift.sum = shift.sum.defined() ? shift.sum + sum : sum;
  shift.count += error.numel() / channels;
}

void Correct(Graph& graph, Node* layer, const Shift& shift) {
  const double beta = layer->op() == "Gemm" ? layer->Float("beta", 1.0f) : 1.0;
  const at::Tensor offset = shift.sum / (static_cast<double>(shift.count) * beta);
  Value* bias = layer->input(kBias);
  const at::Tensor old = bias == nullptr ? at::zeros_like(offset) : bias->tensor().detach();
  const at::Tensor corrected = (old.to(at::kDouble) - offset).to(at::kFloat);
  if (bias != nullptr && bias->uses().size() == 1) {
    graph.SetTensor(bias, corrected);
    return;
  }
  const Value* weight = WeightQuantizer(*layer)->input(kFakeQuantizeX);
  const std::string name = absl::StrCat(absl::StripSuffix(weight->name(), ".weight"), ".bias");
  graph.SetInput(layer, kBias, graph.AddInitializer(name, corrected, InitializerRole::kParameter));
}

// The layers to be corrected, by name.
std::map<std::string, Shift> ShiftsOf(const Graph& graph) {
  std::map<std::string, Shift> shifts;
  for (const Node* node : graph.nodes()) {
    const Node* quantizer = IsKnownLayer(*node) ? WeightQuantizer(*node) : nullptr;
    if (quantizer == nullptr) continue;
    const at::Tensor& weight = quantizer->input(kFakeQuantizeX)->tensor();
    if (!HasPlainBias(*node, OutputChannels(*node, weight))) continue;
    shifts[node->name()].rounding = RoundingError(*quantizer);
  }
  return shifts;
}

}  // namespace

absl::StatusOr<int64_t> CorrectBiases(Graph& graph, Loader& loader, int64_t batches,
                                      const CalibrationObserver& observer) {
  const at::NoGradGuard no_grad;
  std::map<std::string, Shift> shifts = ShiftsOf(graph);
  // A float copy, so that observers see nothing of this.
  Graph full = graph.Clone();
  RemoveFakeQuant(full);
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(full));
  const Executor::NodeHook observe = [&shifts](const Node& node,
                                               absl::Span<const at::Tensor> inputs,
                                               absl::Span<const at::Tensor>) -> absl::Status {
    const auto shift = shifts.find(node.name());
    if (shift == shifts.end()) return absl::OkStatus();
    try {
      Observe(node, inputs[kX], shift->second);
    } catch (const c10::Error& error) {
      return absl::InternalError(
          absl::StrCat("bias correction of '", node.name(), "': ", error.what_without_backtrace()));
    }
    return absl::OkStatus();
  };
  QUANTRY_RETURN_IF_ERROR(
      RunBatches(*executor, loader, batches, RunPhase::kEvaluate, observe, observer));
  int64_t corrected = 0;
  for (Node* node : graph.nodes()) {
    const auto shift = shifts.find(node->name());
    if (shift == shifts.end() || shift->second.count == 0) continue;
    Correct(graph, node, shift->second);
    ++corrected;
  }
  return corrected;
}

}  // namespace quantry::engine
