#include "worker/engine/train/layer_probe.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/status_macros.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"

namespace quantry::engine {
namespace {

// The FakeQuantize node that now feeds the use.
Node* FeederOf(const Use& use) { return use.node->input(use.index)->producer(); }

// The plan for layers as such: their tensors are quantized as the profile has it, but nothing is
// that it quantizes beside them.
absl::StatusOr<QuantPlan> AnnotateLayers(const Graph& graph, const QuantConfig& config,
                                         const PactStart& pact) {
  QUANTRY_ASSIGN_OR_RETURN(QuantPlan plan, Annotate(graph, config, pact));
  plan.output_moving_rate.reset();
  QuantPlan fitted = plan;
  FitToProfile(graph, config, fitted);
  for (size_t i = 0; i < plan.tensors.size(); ++i) plan.tensors[i].spec = fitted.tensors[i].spec;
  return plan;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LayerProbe>> LayerProbe::Create(const Graph& model,
                                                               const QuantConfig& config,
                                                               const PactStart& pact,
                                                               std::vector<int> bits) {
  std::unique_ptr<LayerProbe> probe(new LayerProbe(std::move(bits)));
  probe->graph_ = model.Clone();
  if (FoldsBatchNormBeforeTraining(config)) FoldBatchNorm(probe->graph_);
  QUANTRY_ASSIGN_OR_RETURN(probe->plan_, AnnotateLayers(probe->graph_, config, pact));
  probe->layers_ = LayersOf(probe->plan_);
  // Side by side on the same tensor: all of them look during calibration, when none changes it,
  // though only the last one is read.
  for (size_t tensor = 0; tensor < probe->plan_.tensors.size(); ++tensor) {
    const Use& use = probe->plan_.tensors[tensor].uses.front();
    for (const int width : probe->bits_) {
      InsertFakeQuant(probe->graph_, probe->PlanFor(tensor, width, nullptr));
      for (const Value* input : FeederOf(use)->inputs()) {
        const bool is_state = input != nullptr && input->is_initializer();
        probe->states_[{tensor, width}].push_back(is_state ? input->tensor() : at::Tensor());
      }
    }
  }
  return probe;
}

QuantPlan LayerProbe::PlanFor(size_t tensor, int bits, const PlannedLayer* layer) const {
  PlannedTensor planned = plan_.tensors[tensor];
  planned.spec.bits = bits;
  if (layer != nullptr) {
    std::erase_if(planned.uses, [layer](const Use& use) {
      return std::find(layer->nodes.begin(), layer->nodes.end(), use.node) == layer->nodes.end();
    });
  }
  return {.tensors = {std::move(planned)}};
}

void LayerProbe::FinishCalibration() {
  // The tensors themselves stay alive in states_.
  RemoveFakeQuant(graph_);
}

void LayerProbe::Quantize(size_t layer, int bits, Parts parts) {
  const at::NoGradGuard no_grad;
  for (const size_t tensor : layers_[layer].tensors) {
    if (parts == Parts::kWeightOnly && !plan_.tensors[tensor].spec.is_weight) continue;
    const QuantPlan plan = PlanFor(tensor, bits, &layers_[layer]);
    InsertFakeQuant(graph_, plan);
    const Node* node = FeederOf(plan.tensors.front().uses.front());
    const std::vector<at::Tensor>& state = states_.at({tensor, bits});
    for (size_t slot = kFakeQuantizeX + 1; slot < state.size(); ++slot) {
      if (state[slot].defined()) node->input(slot)->tensor().copy_(state[slot]);
    }
  }
}

void LayerProbe::SetFree() { RemoveFakeQuant(graph_); }

}  // namespace quantry::engine
