#include "tests/worker/engine/script_export/run_script.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <sstream>

namespace quantry::engine {
namespace {

torch::jit::Module Load(const std::string& archive) {
  std::istringstream stream(archive);
  return torch::jit::load(stream);
}

}  // namespace

std::vector<at::Tensor> RunScript(const std::string& archive,
                                  const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  torch::jit::Module module = Load(archive);
  const c10::IValue result = module.forward({inputs.begin(), inputs.end()});
  if (result.isTensor()) return {result.toTensor()};
  std::vector<at::Tensor> outputs;
  for (const c10::IValue& element : result.toTupleRef().elements()) {
    outputs.push_back(element.toTensor());
  }
  return outputs;
}

std::vector<std::string> ParameterNames(const std::string& archive) {
  std::vector<std::string> names;
  const torch::jit::Module module = Load(archive);
  for (const auto& parameter : module.named_parameters()) names.push_back(parameter.name);
  return names;
}

std::vector<std::string> BufferNames(const std::string& archive) {
  std::vector<std::string> names;
  const torch::jit::Module module = Load(archive);
  for (const auto& buffer : module.named_buffers()) names.push_back(buffer.name);
  return names;
}

}  // namespace quantry::engine
