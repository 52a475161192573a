#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_WRITE_SCRIPT_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_WRITE_SCRIPT_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// A graph, also with FakeQuantize nodes, as the bytes of a TorchScript archive that any LibTorch or
// PyTorch from 1.10 on loads without our code:
//  - `forward` takes the graph's inputs in order and returns its output, or a tuple of them. It
//    computes what the graph computes in kEvaluate, with the same ATen functions;
//  - parameters of the graph are parameters of the module, buffers and constants are buffers, all
//    on the CPU. Names are those of the graph with everything but letters, digits and "_" replaced
//    by "_";
//  - a quantizer X has the buffers X_step, X_low and X_high and is written as
//    round(clamp(x, low, high) / step) * step, not as aten::fake_quantize_per_tensor_affine: that
//    multiplies by 1 / step, so that values next to the middle of two integers would fall otherwise
//    than in training and in ONNX. (Profile "paddle": its formula and rounding.) A weight that is
//    mapped first (DoReFa) is there as what comes out, in the buffer X_quantized.
// UNIMPLEMENTED names an operator that has no row in source_table.h, or an attribute that its row
// can't express; FAILED_PRECONDITION as ToQdq. Not thread-safe on one graph.
absl::StatusOr<std::string> WriteScript(const Graph& graph);

// The same into a file, atomically.
absl::Status WriteScriptFile(const Graph& graph, const std::filesystem::path& path);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_EXPORT_WRITE_SCRIPT_H_
