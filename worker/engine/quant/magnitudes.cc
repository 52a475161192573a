#include <ATen/ATen.h>

#include "worker/engine/quant/abs_max.h"
#include "worker/engine/quant/observers.h"

namespace quantry::engine {

at::Tensor MagnitudesOf(const at::Tensor& x, const ObserveOptions& options) {
  if (options.symmetric) return AbsMaxOf(x, options.axis);
  const at::NoGradGuard no_grad;
  if (x.numel() == 0) return at::zeros({2}, x.options().dtype(at::kFloat));
  const auto [smallest, largest] = at::aminmax(x.detach());
  return at::stack({-smallest, largest}).to(at::kFloat).clamp_min(0);
}

}  // namespace quantry::engine
