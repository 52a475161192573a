#include "worker/engine/script/tensor_bounds.h"

#include <ATen/ATen.h>

namespace quantry::engine {

void CheckBounds(const at::Tensor& tensor) {
  constexpr int64_t kSpareBytes = int64_t{1} << 28;  // by strides of 0
  if (!tensor.defined()) return;
  TORCH_CHECK(tensor.layout() == at::kStrided && !tensor.is_quantized(),
              "a tensor is sparse or quantized, which is not supported");
  const auto memory = static_cast<int64_t>(tensor.storage().nbytes());
  const auto width = static_cast<int64_t>(tensor.element_size());
  int64_t last = tensor.storage_offset();
  int64_t elements = 1;
  bool overflow = last < 0;
  for (int64_t axis = 0; axis < tensor.dim(); ++axis) {
    const int64_t size = tensor.size(axis);
    const int64_t stride = tensor.stride(axis);
    if (size == 0) return;
    int64_t reach = 0;
    overflow = overflow || size < 0 || stride < 0 ||
               __builtin_mul_overflow(size - 1, stride, &reach) ||
               __builtin_add_overflow(last, reach, &last) ||
               __builtin_mul_overflow(elements, size, &elements);
  }
  TORCH_CHECK(!overflow && last < memory / width && elements <= (memory + kSpareBytes) / width,
              "a tensor of sizes ", tensor.sizes(), " has only ", memory, " bytes of data");
}

}  // namespace quantry::engine
