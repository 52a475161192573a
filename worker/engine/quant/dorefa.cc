#include "worker/engine/quant/dorefa.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int kStoredBits = 8;
// An all-zero weight must not divide by 0; its integers are then of no weight.
constexpr double kSmallestMagnitude = 1e-30;
constexpr double kMagnitudeGuard = 1e-6;

at::Tensor Guarded(const at::Tensor& magnitude) {
  return at::where(magnitude <= kSmallestMagnitude, magnitude + kMagnitudeGuard, magnitude);
}

class TanhFunction : public torch::autograd::Function<TanhFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weight,
                            const QParams& qparams) {
    const at::Tensor slope = qparams.step * static_cast<double>(qparams.qmax) / qparams.largest;
    context->save_for_backward({weight, slope});
    return TanhIntegers(weight, qparams) * qparams.step;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor tanh = at::tanh(saved[0]);
    return {gradients[0] * (1 - tanh * tanh) * saved[1], at::Tensor()};
  }
};

}  // namespace

QParams DorefaQParams(const at::Tensor& weight, const at::Tensor& magnitude, int bits,
                      Rounding rounding) {
  const at::NoGradGuard no_grad;
  const bool odd_only = bits < kStoredBits;
  const int64_t qmax = odd_only ? UnsignedMax(bits) : QuantMax(bits);
  const at::Tensor m = Guarded(magnitude);
  return {.step = m / static_cast<double>(qmax),
          .low = -m,
          .high = m,
          .qmin = -qmax,
          .qmax = qmax,
          .rounding = rounding,
          .mapping = Mapping::kTanh,
          .largest = Guarded(at::tanh(weight.detach()).abs().max()),
          .odd_only = odd_only};
}

at::Tensor TanhIntegers(const at::Tensor& weight, const QParams& qparams) {
  const at::NoGradGuard no_grad;
  const at::Tensor unit = (at::tanh(weight.detach()) / qparams.largest).clamp(-1, 1);
  const auto top = static_cast<double>(qparams.qmax);
  if (!qparams.odd_only) return RoundWith(unit * top, qparams.rounding);
  return RoundWith((unit / 2 + 0.5) * top, qparams.rounding) * 2 - top;
}

at::Tensor FakeQuantizeTanh(const at::Tensor& weight, const QParams& qparams) {
  if (at::GradMode::is_enabled() && weight.requires_grad()) {
    return TanhFunction::apply(weight, qparams);
  }
  return TanhIntegers(weight, qparams) * qparams.step;
}

}  // namespace quantry::engine
