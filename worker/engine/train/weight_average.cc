#include "worker/engine/train/weight_average.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace quantry::engine {

WeightAverage::WeightAverage(std::vector<NamedTensor> state, double decay)
    : decay_(decay), live_(std::move(state)) {
  for (const NamedTensor& live : live_) {
    averages_.push_back({live.name, live.tensor.detach().clone()});
  }
}

void WeightAverage::Update(int64_t updates) {
  const at::NoGradGuard no_grad;
  const double count = static_cast<double>(updates);
  const double decay = std::min(decay_, (1.0 + count) / (10.0 + count));
  for (size_t i = 0; i < live_.size(); ++i) {
    at::Tensor& average = averages_[i].tensor;
    const at::Tensor& live = live_[i].tensor;
    if (average.is_floating_point()) {
      average.lerp_(live.detach(), 1.0 - decay);
    } else {
      average.copy_(live);
    }
  }
}

void WeightAverage::Apply() const {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < live_.size(); ++i) {
    at::Tensor live = live_[i].tensor;
    live.copy_(averages_[i].tensor);
  }
}

}  // namespace quantry::engine
