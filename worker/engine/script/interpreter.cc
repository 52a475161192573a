#include "worker/engine/script/interpreter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "absl/strings/strip.h"
#include "worker/engine/script/aten_table.h"
#include "worker/engine/script/runnable_operators.h"
#include "worker/engine/script/source_line.h"

namespace quantry::engine {

namespace jit = torch::jit;

namespace {

bool IsTensorList(const c10::IValue& value) {
  if (!value.isList()) return false;
  const auto list = value.toListRef();
  return std::any_of(list.begin(), list.end(), [](const auto& item) { return item.isTensor(); });
}

Lanes ListOf(const std::vector<Operand>& operands) {
  Lanes lists;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    c10::List<at::Tensor> list;
    for (const Operand& operand : operands) list.push_back(operand.lanes[lane]);
    lists[lane] = list;
  }
  return lists;
}

// Numbers that a trace computed as tensors.
c10::IValue AsTensor(const c10::IValue& value) {
  return value.isScalar() ? c10::IValue(at::scalar_tensor(
                                value.toScalar(), at::TensorOptions(value.toScalar().type())))
                          : value;
}

c10::IValue AsNumber(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().dim() == 0 ? c10::IValue(value.toTensor().item())
                                                         : value;
}

}  // namespace

std::vector<Lanes> ScriptInterpreter::Run(const jit::Graph& graph,
                                          const std::vector<Lanes>& inputs) {
  TORCH_CHECK(inputs.size() == graph.inputs().size(), "forward takes ", graph.inputs().size() - 1,
              " inputs, ", inputs.size() - 1, " are given");
  for (size_t i = 0; i < inputs.size(); ++i) Set(graph.inputs()[i], inputs[i]);
  RunBlock(*graph.block());
  std::vector<Lanes> results;
  for (const jit::Value* output : graph.outputs()) results.push_back(Get(output));
  return results;
}

const Lanes& ScriptInterpreter::Get(const jit::Value* value) const {
  const auto found = values_.find(value);
  TORCH_CHECK(found != values_.end(), "uses a value that nothing makes");
  return found->second;
}

void ScriptInterpreter::RunBlock(const jit::Block& block) {
  for (const jit::Node* node : block.nodes()) RunNode(*node);
}

void ScriptInterpreter::RunNode(const jit::Node& node) {
  TORCH_CHECK(++steps_ <= kMaxSteps, "the program takes more than ", kMaxSteps, " steps");
  if (node.kind() == c10::prim::If) return RunIf(node);
  if (node.kind() == c10::prim::Loop) return RunLoop(node);
  std::string message;
  try {
    return Dispatch(node);
  } catch (const c10::Error& error) {
    message = error.what_without_backtrace();
  } catch (const std::exception& error) {
    message = error.what();
  }
  TORCH_CHECK(false, "operator ", node.kind().toQualString(), SourceLine(node), ": ", message);
}

void ScriptInterpreter::Dispatch(const jit::Node& node) {
  if (DispatchStructure(node)) return;
  RunAten(node);
}

void ScriptInterpreter::RunAten(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  std::vector<Lanes> arguments;
  bool tensors = false;
  bool computed = false;
  bool plain = true;
  for (const jit::Value* input : node.inputs()) {
    arguments.push_back(Get(input));
    const c10::IValue& first = arguments.back()[0];
    tensors = tensors || first.isTensor() || IsTensorList(first);
    computed = computed || (first.isTensor() && lowering_.IsComputed(first.toTensor()));
    plain =
        plain && !IsTensorList(first) && (!first.isTensor() || lowering_.IsPlain(first.toTensor()));
  }
  const bool on_list = !arguments.empty() && arguments[0][0].isList() && kind != "aten::cat" &&
                       kind != "aten::stack";
  const bool small =
      !computed && std::all_of(arguments.begin(), arguments.end(), [](const auto& a) {
        return !a[0].isTensor() || a[0].toTensor().dim() == 0;
      });
  if (MakesConstant(kind) ||
      (tensors && plain && RunsOnConstants(kind) && !(small && RunsOnNumbers(kind)))) {
    return RunOnConstants(node);
  }
  TORCH_CHECK(!computed || !AsksValue(kind), "depends on the values of a tensor");
  if (!tensors || AsksShape(kind) || on_list) return RunPlain(node);
  if (small && RunsOnNumbers(kind)) return RunPlain(node);
  Lower(node, std::move(arguments), computed);
}

void ScriptInterpreter::Lower(const jit::Node& node, std::vector<Lanes> arguments, bool computed) {
  const std::string kind = node.kind().toQualString();
  absl::string_view name = kind;
  const AtenRow* row = FindAtenRow(name);
  const bool in_place = row == nullptr && absl::ConsumeSuffix(&name, "_");
  if (in_place && arguments[0][0].isTensor() && !computed &&
      at::isIntegralType(arguments[0][0].toTensor().scalar_type(), false)) {
    return Set(node.output(), arguments[0]);  // BatchNorm counts its batches
  }
  if (in_place) row = FindAtenRow(name);
  const bool several = node.outputs().size() > 1;
  TORCH_CHECK(row != nullptr && (!several || row->lower_list != nullptr), "is not supported");
  const Lanes self = arguments[0];
  AtenCall call(lowering_, std::move(arguments));
  if (several || row->lower == nullptr) {
    const std::vector<Operand> results = row->lower_list(call);
    for (const Operand& result : results) {
      if (row->view) lowering_.MarkView(result, self);
    }
    return several ? SetOutputs(node, results) : Set(node.output(), ListOf(results));
  }
  const Operand result = row->lower(call);
  if (in_place) return Set(node.output(), lowering_.Overwrite(self, result));
  if (row->view) lowering_.MarkView(result, self);
  Set(node.output(), lowering_.ToLanes(result));
}

void ScriptInterpreter::SetOutputs(const jit::Node& node, const std::vector<Operand>& results) {
  TORCH_CHECK(results.size() == node.outputs().size(), "has ", results.size(), " results, ",
              node.outputs().size(), " are expected");
  for (size_t i = 0; i < results.size(); ++i) {
    const bool absent = results[i].value == nullptr;
    Set(node.outputs()[i], absent ? Lanes{} : lowering_.ToLanes(results[i]));
  }
}

void ScriptInterpreter::RunOnConstants(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  Lanes result;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    jit::Stack stack;
    for (const jit::Value* input : node.inputs()) stack.push_back(Get(input)[lane]);
    CheckConstantSize(kind, stack);
    node.getOperation()(stack);
    result[lane] = stack.at(0);
    if (kind == "aten::empty") result[lane].toTensor().zero_();  // the same in every run
  }
  Set(node.output(), result);
}

void ScriptInterpreter::RunPlain(const jit::Node& node) {
  TORCH_CHECK(RunsOnNumbers(node.kind().toQualString()), "is not supported");
  const c10::FunctionSchema& schema = node.schema();
  std::vector<Lanes> results(node.outputs().size());
  for (size_t lane = 0; lane < kLanes; ++lane) {
    jit::Stack stack;
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      c10::IValue value = Get(node.inputs()[i])[lane];
      const bool wants_tensor = i < schema.arguments().size() &&
                                schema.arguments()[i].type()->kind() == c10::TypeKind::TensorType;
      stack.push_back(wants_tensor ? AsTensor(value) : value);
    }
    if (schema.is_vararg()) stack.push_back(static_cast<int64_t>(node.inputs().size()));
    node.getOperation()(stack);
    for (size_t k = 0; k < results.size(); ++k) {
      const bool tensor = schema.returns().at(k).type()->kind() == c10::TypeKind::TensorType;
      results[k][lane] = tensor ? AsNumber(stack.at(k)) : stack.at(k);
    }
  }
  for (size_t k = 0; k < results.size(); ++k) Set(node.outputs()[k], results[k]);
}

}  // namespace quantry::engine
