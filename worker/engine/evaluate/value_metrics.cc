#include "worker/engine/evaluate/value_metrics.h"

#include <ATen/ATen.h>

#include <cmath>

namespace quantry::engine {

void ValueMetrics::Add(const at::Tensor& outputs, const at::Tensor& targets) {
  const at::NoGradGuard no_grad;
  const at::Tensor wanted = targets.to(at::kDouble);
  const at::Tensor errors = outputs.detach().to(at::kDouble).reshape(targets.sizes()) - wanted;
  squares_ += errors.square().sum().item<double>();
  absolutes_ += errors.abs().sum().item<double>();
  elements_ += targets.numel();
  // Means and deviations are merged batch by batch (Chan, Golub, LeVeque, 1979): sums of squares
  // alone would cancel where the mean is large.
  const auto before = static_cast<double>(examples_);
  const auto added = static_cast<double>(targets.size(0));
  const at::Tensor mean = wanted.mean(0);
  const at::Tensor deviations = (wanted - mean).square().sum(0);
  if (examples_ == 0) {
    mean_ = mean;
    deviations_ = deviations;
  } else {
    const at::Tensor delta = mean - mean_;
    deviations_ = deviations_ + deviations + delta.square() * (before * added / (before + added));
    mean_ = mean_ + delta * (added / (before + added));
  }
  examples_ += targets.size(0);
}

double ValueMetrics::loss() const {
  return elements_ == 0 ? 0.0 : squares_ / static_cast<double>(elements_);
}

std::vector<NamedMetric> ValueMetrics::Values() const {
  if (elements_ == 0) return {};
  std::vector<NamedMetric> values = {{"rmse", std::sqrt(loss())},
                                     {"mae", absolutes_ / static_cast<double>(elements_)}};
  const double deviations = deviations_.sum().item<double>();
  if (deviations > 0.0) values.push_back({"r2", 1.0 - squares_ / deviations});
  return values;
}

}  // namespace quantry::engine
