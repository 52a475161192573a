#ifndef QUANTRY_TESTS_WORKER_ENGINE_IMPORT_ONNX_NODE_CASES_H_
#define QUANTRY_TESTS_WORKER_ENGINE_IMPORT_ONNX_NODE_CASES_H_

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace quantry::engine {

// One of ONNX's own operator tests: a folder with model.onnx and
// test_data_set_N/{input,output}_M.pb.
struct NodeCaseResult {
  std::string name;  // "test_abs"
  int64_t opset = 0;
  std::set<std::string> ops;          // operators of the model
  std::set<std::string> unknown_ops;  // of these those that the engine does not have
  std::string unsupported;            // a rule why the engine need not run it; empty: it must
  std::string error;                  // what went wrong; empty: passed
};

// Runs the case in `folder` through ImportOnnx and Executor and compares every output: type, shape
// and values, relative 1e-3, absolute 1e-5 (ONNX's runner allows 1e-3 and 1e-7). Types that ATen
// lacks are compared as import holds them: float16 and bfloat16 as float32, uint16 as int32.
NodeCaseResult RunNodeCase(const std::filesystem::path& folder);

// docs/onnx_operators.md, of all results.
std::string OperatorTableMarkdown(const std::vector<NodeCaseResult>& results);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_IMPORT_ONNX_NODE_CASES_H_
