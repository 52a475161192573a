#include "worker/engine/evaluate/distribution.h"

#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {

Distribution DistributionOf(const at::Tensor& x, int64_t bins) {
  const at::NoGradGuard no_grad;
  at::Tensor values = x.detach().reshape({-1}).to(at::kCPU, at::kFloat);
  const at::Tensor finite = values.isfinite();
  if (!finite.all().item<bool>()) values = values.masked_select(finite);
  Distribution distribution;
  if (values.numel() == 0) return distribution;
  distribution.min = values.min().item<double>();
  distribution.max = values.max().item<double>();
  if (distribution.min == distribution.max) {
    distribution.counts = {values.numel()};
    return distribution;
  }
  const at::Tensor counts =
      at::histc(values, bins, distribution.min, distribution.max).to(at::kLong).contiguous();
  distribution.counts.assign(counts.data_ptr<int64_t>(), counts.data_ptr<int64_t>() + bins);
  return distribution;
}

absl::StatusOr<std::map<std::string, Distribution>> MeasureDistributions(const Graph& graph,
                                                                         Loader& loader,
                                                                         int64_t bins) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  std::map<std::string, Distribution> distributions;
  const Executor::NodeHook measure = [&](const Node& node, absl::Span<const at::Tensor> inputs,
                                         absl::Span<const at::Tensor>) {
    if (node.op() != kFakeQuantizeOp) return absl::OkStatus();
    Distribution& distribution = distributions[node.name()];
    distribution = DistributionOf(inputs[kFakeQuantizeX], bins);
    const QParams qparams = EvaluationQParams(node);
    distribution.range_low = qparams.low.min().item<double>();
    distribution.range_high = qparams.high.max().item<double>();
    return absl::OkStatus();
  };
  QUANTRY_RETURN_IF_ERROR(loader.StartEpoch(0));
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader.Next());
  if (!batch) return distributions;
  QUANTRY_RETURN_IF_ERROR(
      executor->Run(batch->inputs, {.phase = RunPhase::kEvaluate}, measure).status());
  return distributions;
}

}  // namespace quantry::engine
