#include "worker/engine/train/batch_norm_statistics.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <map>

#include "common/status_macros.h"
#include "worker/engine/data/counter_rng.h"
#include "worker/engine/evaluate/executor.h"

namespace quantry::engine {
namespace {

constexpr size_t kMeanInput = 3;
constexpr size_t kVarianceInput = 4;

// Per channel, in double.
struct Sums {
  double count = 0.0;
  at::Tensor sum;
  at::Tensor squares;
};

using SumsByNode = std::map<const Node*, Sums>;

void Add(const at::Tensor& x, Sums& sums) {
  std::vector<int64_t> others = {0};
  for (int64_t dim = 2; dim < x.dim(); ++dim) others.push_back(dim);
  const at::Tensor sum = x.sum(others, false, at::kDouble);
  const at::Tensor squares = x.to(at::kDouble).square_().sum(others);
  sums.sum = sums.count == 0.0 ? sum : sums.sum + sum;
  sums.squares = sums.count == 0.0 ? squares : sums.squares + squares;
  sums.count += static_cast<double>(x.numel() / x.size(1));
}

void Store(const Node& node, const Sums& sums) {
  const at::Tensor mean = sums.sum / sums.count;
  const at::Tensor variance =
      (sums.squares - mean.square() * sums.count).clamp_min(0) / std::max(1.0, sums.count - 1.0);
  at::Tensor mean_buffer = node.input(kMeanInput)->tensor();
  at::Tensor variance_buffer = node.input(kVarianceInput)->tensor();
  mean_buffer.copy_(mean);
  variance_buffer.copy_(variance);
}

}  // namespace

absl::Status ReestimateBatchNorm(const Graph& graph, Loader& loader, int64_t batches,
                                 uint64_t seed) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  SumsByNode sums;
  const Executor::NodeHook look = [&sums](const Node& node, absl::Span<const at::Tensor> inputs,
                                          absl::Span<const at::Tensor>) {
    if (node.op() == "BatchNormalization") Add(inputs[0], sums[&node]);
    return absl::OkStatus();
  };
  QUANTRY_RETURN_IF_ERROR(loader.StartEpoch(0));
  for (int64_t done = 0; done < batches; ++done) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader.Next());
    if (!batch) break;
    const uint64_t drawn = CounterRng({seed, static_cast<uint64_t>(done)}).Next();
    QUANTRY_RETURN_IF_ERROR(
        executor
            ->Run(batch->inputs,
                  {.phase = RunPhase::kTrain,
                   .observers_frozen = true,
                   .generator = at::make_generator<at::CPUGeneratorImpl>(drawn)},
                  look)
            .status());
  }
  for (const auto& [node, measured] : sums) Store(*node, measured);
  return absl::OkStatus();
}

}  // namespace quantry::engine
