#include "worker/engine/train/step_bounds.h"

#include <ATen/ATen.h>

#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {

StepBounds::StepBounds(const Graph& graph) {
  for (const Node* node : graph.nodes()) {
    if (node->op() != kFakeQuantizeOp) continue;
    const QuantizerDef* quantizer = FindQuantizer(SpecOf(*node).quantizer);
    if (quantizer == nullptr || !quantizer->learned) continue;
    steps_.push_back(node->input(kFakeQuantizeScale)->tensor());
  }
}

void StepBounds::BeforeUpdate() {
  const at::NoGradGuard no_grad;
  before_.clear();
  for (const at::Tensor& step : steps_) before_.push_back(step.detach().clone());
}

void StepBounds::AfterUpdate() {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < steps_.size(); ++i) {
    at::Tensor step = steps_[i].detach();
    step.copy_(at::min(at::max(step, before_[i] / kLargestChange), before_[i] * kLargestChange));
  }
}

}  // namespace quantry::engine
