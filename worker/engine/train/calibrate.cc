#include "worker/engine/train/calibrate.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/status_macros.h"
#include "worker/engine/train/threshold_search.h"

namespace quantry::engine {

absl::Status RunBatches(Executor& executor, Loader& loader, int64_t batches, RunPhase phase,
                        const Executor::NodeHook& hook, const CalibrationObserver& observer) {
  QUANTRY_RETURN_IF_ERROR(loader.StartEpoch(0));
  const int64_t total = std::min(batches, loader.num_batches());
  for (int64_t done = 0; done < total; ++done) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader.Next());
    if (!batch) break;
    QUANTRY_RETURN_IF_ERROR(executor.Run(batch->inputs, {.phase = phase}, hook).status());
    if (observer) QUANTRY_RETURN_IF_ERROR(observer(done + 1, total));
  }
  return absl::OkStatus();
}

absl::Status Calibrate(const Graph& graph, Loader& loader, int64_t batches,
                       const CalibrationObserver& observer) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  ThresholdSearch search(graph);
  Executor::NodeHook hook;
  if (search.needed()) {
    hook = [&search](const Node& node, absl::Span<const at::Tensor> inputs,
                     absl::Span<const at::Tensor>) { return search.See(node, inputs); };
  }
  QUANTRY_RETURN_IF_ERROR(
      RunBatches(*executor, loader, batches, RunPhase::kCalibrate, hook, observer));
  return search.Apply();
}

}  // namespace quantry::engine
