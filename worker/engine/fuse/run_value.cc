#include "worker/engine/fuse/run_value.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <iterator>

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kGrain = 1 << 14;  // elements that are worth a thread

ElementType TypeOfElements(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 ? ElementType::kBf16 : ElementType::kFloat32;
}

class PlainFunction : public torch::autograd::Function<PlainFunction> {
 public:
  static at::Tensor forward(AutogradContext*, const at::Tensor& integers, double step) {
    const at::Tensor dense =
        integers.is_non_overlapping_and_dense() ? integers : integers.contiguous();
    at::Tensor value = at::empty_like(dense, dense.options().dtype(at::kFloat));
    float* to = value.data_ptr<float>();
    const ConstElements from = ElementsOf(dense);
    at::parallel_for(0, dense.numel(), kGrain, [&](int64_t begin, int64_t end) {
      ElementsToFloat(From(from, begin), static_cast<float>(step), to + begin, end - begin);
    });
    return value;
  }

  static variable_list backward(AutogradContext*, variable_list gradients) {
    return {gradients[0], at::Tensor()};
  }
};

}  // namespace

bool KeepsGrid(absl::string_view op) {
  constexpr absl::string_view kOps[] = {"DepthToSpace", "Flatten",  "Identity",     "MaxPool",
                                        "Reshape",      "Slice",    "SpaceToDepth", "Squeeze",
                                        "Transpose",    "Unsqueeze"};
  return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
}

at::Tensor Plain(const RunValue& value) {
  return value.integers() ? PlainFunction::apply(value.tensor, value.step) : value.tensor;
}

ConstElements ElementsOf(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  return {tensor.data_ptr(), TypeOfElements(tensor)};
}

Elements MutableElementsOf(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  return {tensor.data_ptr(), TypeOfElements(tensor)};
}

}  // namespace quantry::engine
