#ifndef QUANTRY_WORKER_ENGINE_EXPORT_WRITE_NPY_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_WRITE_NPY_H_

#include <ATen/core/Tensor.h>

#include <filesystem>

#include "absl/status/status.h"

namespace quantry::engine {

// Writes a float32 tensor of any shape as a NumPy array file, atomically. Format version 1.0:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
// INVALID_ARGUMENT for other element types; else the errors of WriteFileAtomically.
absl::Status WriteNpyFile(const at::Tensor& tensor, const std::filesystem::path& path);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_WRITE_NPY_H_
