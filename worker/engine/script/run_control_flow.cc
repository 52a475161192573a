// Branches that are taken and loops that are unrolled, since neither may depend on data.
#include <ATen/ATen.h>

#include <string>

#include "absl/strings/match.h"
#include "worker/engine/script/interpreter.h"
#include "worker/engine/script/source_line.h"

namespace quantry::engine {

namespace jit = torch::jit;

bool ScriptInterpreter::Condition(const jit::Value* value) const {
  const Lanes& lanes = Get(value);
  TORCH_CHECK(lanes[0].isBool() && lanes[1].isBool(), "depends on the values of a tensor");
  TORCH_CHECK(lanes[0].toBool() == lanes[1].toBool(), "depends on the batch size");
  return lanes[0].toBool();
}

void ScriptInterpreter::RunIf(const jit::Node& node) {
  bool taken = false;
  try {
    taken = Condition(node.inputs()[0]);
  } catch (const c10::Error& error) {
    TORCH_CHECK(false, "control flow ('if')", SourceLine(node), " can't be lowered: it ",
                error.what_without_backtrace());
  }
  const jit::Block& block = *node.blocks()[taken ? 0 : 1];
  RunBlock(block);
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    Set(node.outputs()[i], Get(block.outputs()[i]));
  }
}

void ScriptInterpreter::RunLoop(const jit::Node& node) {
  const jit::Block& block = *node.blocks()[0];
  std::vector<Lanes> carried;
  for (size_t i = 2; i < node.inputs().size(); ++i) carried.push_back(Get(node.inputs()[i]));
  const jit::Value* condition = node.inputs()[1];
  try {
    const Lanes& count = Get(node.inputs()[0]);
    TORCH_CHECK(count[0].toInt() == count[1].toInt(), "depends on the batch size");
    for (int64_t i = 0; i < count[0].toInt() && Condition(condition); ++i) {
      TORCH_CHECK(++steps_ <= kMaxSteps, "takes more than ", kMaxSteps, " steps");
      Set(block.inputs()[0], {i, i});
      for (size_t k = 0; k < carried.size(); ++k) Set(block.inputs()[k + 1], carried[k]);
      RunBlock(block);
      condition = block.outputs()[0];
      for (size_t k = 0; k < carried.size(); ++k) carried[k] = Get(block.outputs()[k + 1]);
    }
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    if (!absl::StartsWith(message, "depends") && !absl::StartsWith(message, "takes")) throw;
    TORCH_CHECK(false, "control flow (a loop)", SourceLine(node), " can't be lowered: it ",
                message);
  }
  for (size_t k = 0; k < carried.size(); ++k) Set(node.outputs()[k], carried[k]);
}

}  // namespace quantry::engine
