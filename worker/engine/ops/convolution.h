#ifndef QUANTRY_WORKER_ENGINE_OPS_CONVOLUTION_H_
#define QUANTRY_WORKER_ENGINE_OPS_CONVOLUTION_H_

#include <string>

#include "absl/status/status.h"
#include "worker/engine/graph/node.h"

namespace quantry::engine {

// What Conv and ConvTranspose share.

// OperatorDef::validate: a weight that is an initializer has 1 to 3 spatial axes; window and groups.
absl::Status ValidateConvolution(const Node& node);

// The number of spatial axes of a weight that is an initializer; 0 where it is none.
int64_t SpatialRank(const Node& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_CONVOLUTION_H_
