#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_IMPORT_SCRIPT_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_IMPORT_SCRIPT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

struct ScriptOptions {
  // Shape of each input without its first axis, the batch, which stays free: {{3, 224, 224}}. Sizes
  // that the model computes with become constants for these.
  std::vector<std::vector<int64_t>> input_shapes;
};

// Whether a file that starts with `head` is a zip archive, as TorchScript files are and ONNX files
// are not.
bool LooksLikeTorchScript(absl::string_view head);

// The same of a file on disk; false for one that can't be read.
bool IsTorchScriptFile(const std::filesystem::path& path);

// Reads a TorchScript model, traced or scripted, in train or eval mode, into the graph that
// ImportOnnx gives: BatchNorm and Dropout stay and follow the phase of the run. Parameters and
// buffers have their qualified names.
// INVALID_ARGUMENT with a sentence for people: not a TorchScript file, an operator that is not
// known, control flow that depends on data; the last two name operator and source line.
absl::StatusOr<Graph> ImportTorchScript(absl::string_view bytes, const ScriptOptions& options);
absl::StatusOr<Graph> ImportTorchScriptFile(const std::filesystem::path& path,
                                            const ScriptOptions& options);

// Parameters and buffers of a TorchScript file under the names of its state_dict, each within its
// memory; the program is not looked at, but the file is loaded in a child process first and within
// the same limits. Empty for a frozen model. Errors as above.
absl::StatusOr<std::map<std::string, at::Tensor>> ReadTorchScriptTensors(absl::string_view bytes);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_IMPORT_SCRIPT_H_
