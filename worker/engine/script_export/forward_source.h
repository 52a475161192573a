#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_FORWARD_SOURCE_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_FORWARD_SOURCE_H_

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// A tensor of the module.
struct ModuleTensor {
  std::string name;  // the attribute's name: an identifier
  at::Tensor tensor;
  bool is_parameter = false;
};

// A graph as TorchScript source.
struct ForwardSource {
  std::string code;  // "def forward(self, ...): ..."
  std::vector<ModuleTensor> tensors;
};

// Errors as WriteScript's.
absl::StatusOr<ForwardSource> WriteForward(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_FORWARD_SOURCE_H_
