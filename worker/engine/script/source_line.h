#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_SOURCE_LINE_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_SOURCE_LINE_H_

#include <torch/csrc/jit/ir/ir.h>

#include <string>

namespace quantry::engine {

// " at model.py:12:8: the line", of the Python source where the file tells it; empty where it does
// not tell any.
std::string SourceLine(const torch::jit::Node& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_SOURCE_LINE_H_
