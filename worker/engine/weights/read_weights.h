#ifndef QUANTRY_WORKER_ENGINE_WEIGHTS_READ_WEIGHTS_H_
#define QUANTRY_WORKER_ENGINE_WEIGHTS_READ_WEIGHTS_H_

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace quantry::engine {

// Trained tensors by name. Floating types are float32, as the engine computes; integers stay.
using WeightMap = std::map<std::string, at::Tensor, std::less<>>;

// Reads the named tensors of a file, whatever kind its content shows it to be: safetensors, an ONNX
// or a TorchScript model (their parameters and buffers). INVALID_ARGUMENT names the file's kind and
// what is wrong with it, or the kinds that can be read. Thread-safe.
absl::StatusOr<WeightMap> ReadWeightsFile(const std::filesystem::path& path);

// The readers behind it, one file each.
absl::StatusOr<WeightMap> ReadSafetensorsWeights(const std::filesystem::path& path);
absl::StatusOr<WeightMap> ReadOnnxWeights(const std::filesystem::path& path);
absl::StatusOr<WeightMap> ReadTorchScriptWeights(const std::filesystem::path& path);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_WEIGHTS_READ_WEIGHTS_H_
