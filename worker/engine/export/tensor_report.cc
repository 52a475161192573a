#include "worker/engine/export/tensor_report.h"

#include <ATen/ATen.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

TensorReport ReportOf(const Node& layer, const Node& fake_quant) {
  const FakeQuantizeSpec spec = SpecOf(fake_quant);
  const at::Tensor steps = EvaluationQParams(fake_quant).step;
  return {.layer = layer.name(),
          .op_type = layer.op(),
          .value = fake_quant.input(kFakeQuantizeX)->name(),
          .fake_quant_node = fake_quant.name(),
          .is_weight = spec.is_weight,
          .quantizer = absl::StrCat(spec.pact ? "PACT+" : "", spec.quantizer),
          .bits = spec.bits,
          .per_channel = spec.axis >= 0,
          .scale_min = steps.min().item<double>(),
          .scale_max = steps.max().item<double>()};
}

}  // namespace

std::vector<TensorReport> ReportTensors(const Graph& trained) {
  const at::NoGradGuard no_grad;
  std::vector<TensorReport> reports;
  const auto order = trained.TopologicalOrder();
  if (!order.ok()) return reports;
  for (const Node* layer : *order) {
    if (absl::StrContains(layer->op(), '.')) continue;  // ours: no layer of the model
    for (const Value* input : layer->inputs()) {
      const Node* producer = input == nullptr ? nullptr : input->producer();
      if (producer != nullptr && producer->op() == kFakeQuantizeOp) {
        reports.push_back(ReportOf(*layer, *producer));
      }
    }
  }
  return reports;
}

}  // namespace quantry::engine
