#include "worker/engine/ops/along_axis.h"

#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include <vector>

namespace quantry::engine {

at::Tensor AlongAxis(const at::Tensor& values, const at::Tensor& x, int64_t axis) {
  if (values.numel() == 1) return values.reshape({});
  axis = c10::maybe_wrap_dim(axis, x.dim());
  TORCH_CHECK(values.dim() == 1 && values.numel() == x.size(axis), "scale or zero point has ",
              values.numel(), " elements, axis ", axis, " of the input has ", x.size(axis));
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[static_cast<size_t>(axis)] = values.numel();
  return values.reshape(sizes);
}

at::Tensor AlongBlocks(const at::Tensor& values, const at::Tensor& x, int64_t axis, int64_t block) {
  if (block == 0) return AlongAxis(values, x, axis);
  axis = c10::maybe_wrap_dim(axis, x.dim());
  std::vector<int64_t> sizes = x.sizes().vec();
  int64_t& along = sizes[static_cast<size_t>(axis)];
  along = along / block + (along % block == 0 ? 0 : 1);
  TORCH_CHECK(values.sizes() == at::IntArrayRef(sizes), "scale or zero point is ", values.sizes(),
              "; blocks of ", block, " along axis ", axis, " of the input ask for ", sizes);
  return at::repeat_interleave(values, block, axis).narrow(axis, 0, x.size(axis));
}

}  // namespace quantry::engine
