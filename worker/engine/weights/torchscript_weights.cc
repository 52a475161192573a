#include <ATen/ATen.h>

#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/script/import_script.h"
#include "worker/engine/weights/read_weights.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{2} << 30;

}  // namespace

absl::StatusOr<WeightMap> ReadTorchScriptWeights(const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileBytes));
  QUANTRY_ASSIGN_OR_RETURN(const auto tensors, ReadTorchScriptTensors(bytes));
  if (tensors.empty()) {
    return absl::InvalidArgumentError(
        "the model has neither parameters nor buffers; torch.jit.freeze makes constants of them: "
        "save the model without it");
  }
  WeightMap weights;
  for (const auto& [name, tensor] : tensors) {
    // Parameters want gradients in the file's model, not here.
    const at::Tensor value = tensor.detach();
    weights[name] = value.is_floating_point() ? value.to(at::kFloat) : value;
  }
  return weights;
}

}  // namespace quantry::engine
