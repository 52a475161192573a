#ifndef QUANTRY_TESTS_WORKER_ENGINE_SCRIPT_EXPORT_RUN_SCRIPT_H_
#define QUANTRY_TESTS_WORKER_ENGINE_SCRIPT_EXPORT_RUN_SCRIPT_H_

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace quantry::engine {

// Loads the bytes of an archive with LibTorch and runs it. One output or a tuple of them.
std::vector<at::Tensor> RunScript(const std::string& archive,
                                  const std::vector<at::Tensor>& inputs);

// Names of the module's parameters and buffers.
std::vector<std::string> ParameterNames(const std::string& archive);
std::vector<std::string> BufferNames(const std::string& archive);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_SCRIPT_EXPORT_RUN_SCRIPT_H_
