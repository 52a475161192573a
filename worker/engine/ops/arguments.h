#ifndef QUANTRY_WORKER_ENGINE_OPS_ARGUMENTS_H_
#define QUANTRY_WORKER_ENGINE_OPS_ARGUMENTS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/engine/graph/node.h"

namespace quantry::engine {

// What OperatorDef::evaluate and layer_type share. All throw nothing but c10::Error.

// The elements of an integer tensor (shape, axes, pads), on any device.
std::vector<int64_t> IntsOf(const at::Tensor& tensor);

// Axes as ONNX gives them, each in [0, rank), sorted. Negative ones count from the end.
std::vector<int64_t> NormalAxes(std::vector<int64_t> axes, int64_t rank);

// The decimal number that `value` is the nearest float of, as people wrote it: 0.9f -> 0.9. So that
// constants that went through a float attribute come out as the double that torch was given.
double DecimalOf(float value);

// The initializer behind input `index`, looking through FakeQuantize; null if it is not one.
const Value* InitializerBehind(const Node& node, size_t index);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_ARGUMENTS_H_
