#include "worker/engine/script_export/write_script.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <exception>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/script_export/forward_source.h"

namespace quantry::engine {
namespace {

// Python's Module.train and eval set it.
constexpr char kTrainingFlag[] = "training";

std::string Archive(const ForwardSource& source) {
  torch::jit::Module module("__torch__.QuantizedModel");
  module.register_attribute(kTrainingFlag, c10::BoolType::get(), false);
  for (const ModuleTensor& tensor : source.tensors) {
    const at::Tensor own = tensor.tensor.detach().cpu().clone();
    module.register_parameter(
        tensor.name, tensor.is_parameter ? own.set_requires_grad(own.is_floating_point()) : own,
        /*is_buffer=*/!tensor.is_parameter);
  }
  module.define(source.code);
  std::ostringstream bytes;
  module.save(bytes);
  return bytes.str();
}

}  // namespace

absl::StatusOr<std::string> WriteScript(const Graph& graph) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(const ForwardSource source, WriteForward(graph));
  try {
    return Archive(source);
  } catch (const std::exception& error) {
    // Our own source, so nobody else's fault.
    return absl::InternalError(
        absl::StrCat("TorchScript refuses what was written for it: ", error.what()));
  }
}

absl::Status WriteScriptFile(const Graph& graph, const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, WriteScript(graph));
  return WriteFileAtomically(path, bytes);
}

}  // namespace quantry::engine
