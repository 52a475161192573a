#include "worker/engine/ops/arguments.h"

#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace quantry::engine {

std::vector<int64_t> IntsOf(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.defined() && at::isIntegralType(tensor.scalar_type(), /*includeBool=*/false),
              "a list of integers is expected");
  const at::Tensor flat = tensor.to(at::kCPU, at::kLong).contiguous();
  const int64_t* begin = flat.data_ptr<int64_t>();
  return {begin, begin + flat.numel()};
}

std::vector<int64_t> NormalAxes(std::vector<int64_t> axes, int64_t rank) {
  for (int64_t& axis : axes) axis = c10::maybe_wrap_dim(axis, rank);
  std::sort(axes.begin(), axes.end());
  TORCH_CHECK(std::adjacent_find(axes.begin(), axes.end()) == axes.end(),
              "an axis is listed twice");
  return axes;
}

double DecimalOf(float value) {
  std::array<char, 32> text;  // the shortest text of a float has at most 16 characters
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double decimal = value;
  std::from_chars(text.data(), written.ptr, decimal);
  return decimal;
}

const Value* InitializerBehind(const Node& node, size_t index) {
  const Value* value = node.input(index);
  while (value != nullptr && value->producer() != nullptr &&
         value->producer()->op() == "quantry.FakeQuantize") {
    value = value->producer()->input(0);
  }
  return value != nullptr && value->is_initializer() ? value : nullptr;
}

}  // namespace quantry::engine
