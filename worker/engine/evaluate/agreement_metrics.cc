#include "worker/engine/evaluate/agreement_metrics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace quantry::engine {
namespace {

double SumOfSquares(const at::Tensor& x) { return x.square().sum(at::kDouble).item<double>(); }

}  // namespace

void AgreementMetrics::Add(absl::Span<const at::Tensor> outputs,
                           absl::Span<const at::Tensor> reference) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < std::min(outputs.size(), reference.size()); ++i) {
    const at::Tensor& wanted = reference[i];
    if (!wanted.is_floating_point() || wanted.sizes() != outputs[i].sizes()) continue;
    const at::Tensor ours = outputs[i].detach();
    signal_ += SumOfSquares(wanted);
    noise_ += SumOfSquares(wanted - ours);
    if (i > 0 || wanted.dim() != 2 || wanted.size(1) < 2) continue;
    compared_ += wanted.size(0);
    agreeing_ += ours.argmax(1).eq(wanted.argmax(1)).sum().item<int64_t>();
  }
}

std::vector<NamedMetric> AgreementMetrics::Values() const {
  std::vector<NamedMetric> values;
  if (signal_ > 0.0) {
    const double ratio = noise_ > 0.0 ? 10.0 * std::log10(signal_ / noise_) : kMaxDecibel;
    values.push_back({"sqnr_db", std::min(ratio, kMaxDecibel)});
  }
  if (compared_ > 0) {
    values.push_back(
        {"agreement", static_cast<double>(agreeing_) / static_cast<double>(compared_)});
  }
  return values;
}

}  // namespace quantry::engine
