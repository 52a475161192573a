#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_INTERPRETER_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_INTERPRETER_H_

#include <torch/csrc/jit/ir/ir.h>

#include <unordered_map>
#include <vector>

#include "worker/engine/script/lowering.h"

namespace quantry::engine {

// Runs a TorchScript graph with all calls inlined, on placeholders: numbers, lists and modules are
// computed, branches taken and loops unrolled, operators on tensors go to the graph under
// construction. Modules are seen in eval mode whatever the file says: the phase of a run decides.
// Nothing that reads or writes outside is ever called. Not thread-safe.
class ScriptInterpreter {
 public:
  explicit ScriptInterpreter(Lowering& lowering) : lowering_(lowering) {}

  // The program's results. Throws c10::Error; its message has the operator and the source line.
  std::vector<Lanes> Run(const torch::jit::Graph& graph, const std::vector<Lanes>& inputs);

 private:
  static constexpr int64_t kMaxSteps = 200000;

  void RunBlock(const torch::jit::Block& block);
  void RunNode(const torch::jit::Node& node);
  void Dispatch(const torch::jit::Node& node);
  // run_structure.cc; false: the node is something else.
  bool DispatchStructure(const torch::jit::Node& node);
  void GetAttribute(const torch::jit::Node& node);
  // run_control_flow.cc
  void RunIf(const torch::jit::Node& node);
  void RunLoop(const torch::jit::Node& node);
  bool Condition(const torch::jit::Value* value) const;
  void RunAten(const torch::jit::Node& node);
  // Writes the operator with ONNX's.
  void Lower(const torch::jit::Node& node, std::vector<Lanes> arguments, bool computed);
  void SetOutputs(const torch::jit::Node& node, const std::vector<Operand>& results);
  // Computes with tensors that the program made of numbers alone.
  void RunOnConstants(const torch::jit::Node& node);
  // Runs the node's own code in both lanes, on numbers, lists and strings.
  void RunPlain(const torch::jit::Node& node);

  const Lanes& Get(const torch::jit::Value* value) const;
  void Set(const torch::jit::Value* value, Lanes lanes) { values_[value] = std::move(lanes); }

  Lowering& lowering_;
  std::unordered_map<const torch::jit::Value*, Lanes> values_;
  int64_t steps_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_INTERPRETER_H_
