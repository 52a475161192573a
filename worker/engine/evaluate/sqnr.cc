#include "worker/engine/evaluate/sqnr.h"

#include <ATen/ATen.h>

#include <cmath>

#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"

namespace quantry::engine {
namespace {

struct Energy {
  double signal = 0.0;
  double noise = 0.0;
};

double SumOfSquares(const at::Tensor& x) { return x.square().sum(at::kDouble).item<double>(); }

}  // namespace

absl::StatusOr<std::map<std::string, double>> MeasureSqnr(const Graph& graph, Loader& loader,
                                                          int64_t max_batches) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  std::map<std::string, Energy> energies;
  const Executor::NodeHook measure = [&energies](const Node& node,
                                                 absl::Span<const at::Tensor> inputs,
                                                 absl::Span<const at::Tensor> outputs) {
    if (node.op() != "quantry.FakeQuantize") return absl::OkStatus();
    Energy& energy = energies[node.name()];
    energy.signal += SumOfSquares(inputs[0]);
    energy.noise += SumOfSquares(inputs[0] - outputs[0]);
    return absl::OkStatus();
  };
  QUANTRY_RETURN_IF_ERROR(loader.StartEpoch(0));
  for (int64_t done = 0; done < max_batches; ++done) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader.Next());
    if (!batch) break;
    QUANTRY_RETURN_IF_ERROR(
        executor->Run(batch->inputs, {.phase = RunPhase::kEvaluate}, measure).status());
  }
  std::map<std::string, double> decibel;
  for (const auto& [name, energy] : energies) {
    if (energy.signal <= 0.0 || energy.noise <= 0.0) continue;
    decibel[name] = 10.0 * std::log10(energy.signal / energy.noise);
  }
  return decibel;
}

}  // namespace quantry::engine
