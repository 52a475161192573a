#include "tests/worker/engine/ops/operator_cases.h"

#include <ATen/ATen.h>

#include <numeric>

namespace quantry::engine {

void PrintTo(const OperatorCase& operator_case, std::ostream* out) {
  *out << operator_case.op << ": " << operator_case.name;
}

std::vector<OperatorCase> OperatorCases() {
  std::vector<OperatorCase> all;
  for (const auto& family : {LayerCases(), PointwiseCases(), PoolingCases(), QuantizeCases(),
                             ShapeCases(), VisionCases(), GradientCases()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

at::Tensor Numbers(at::IntArrayRef sizes, int seed) {
  at::Tensor numbers = at::empty(sizes, at::kFloat);
  float* elements = numbers.data_ptr<float>();
  const int64_t count = numbers.numel();
  // A permutation of equally spaced magnitudes in [0.1, 2), with signs in a pattern.
  for (int64_t i = 0; i < count; ++i) {
    int64_t stride = 7919 + 2 * seed;
    while (std::gcd(stride, count) != 1) ++stride;
    const int64_t rank = (i * stride + seed) % count;
    const double magnitude = 0.1 + 1.9 * static_cast<double>(rank) / static_cast<double>(count);
    elements[i] = static_cast<float>((i * 5 + seed) % 3 == 0 ? -magnitude : magnitude);
  }
  return numbers;
}

at::Tensor Map(const at::Tensor& x, const std::function<double(double)>& f) {
  at::Tensor y = x.to(at::kDouble).contiguous().clone();
  double* elements = y.data_ptr<double>();
  for (int64_t i = 0; i < y.numel(); ++i) elements[i] = f(elements[i]);
  return y.to(x.scalar_type());
}

}  // namespace quantry::engine
