#ifndef QUANTRY_WORKER_ENGINE_OPS_CONVOLUTION_H_
#define QUANTRY_WORKER_ENGINE_OPS_CONVOLUTION_H_

#include <string>

#include <ATen/core/Tensor.h>
#include "absl/status/status.h"

#include "worker/engine/graph/node.h"

namespace quantry::engine {

// What Conv and ConvTranspose share.

// OperatorDef::validate: 1 to 3 spatial axes of a weight that is an initializer; window and groups.
absl::Status ValidateConvolution(const Node& node);

// The number of spatial axes of a weight that is an initializer; 0 where it is none.
int64_t SpatialRank(const Node& node);

// Throws c10::Error unless `x` and `weight` have the same rank of at least 3 and the kernel, the
// weight's last dimensions, has elements.
void CheckKernel(const at::Tensor& x, const at::Tensor& weight);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_CONVOLUTION_H_
