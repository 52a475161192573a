#include "worker/engine/script/interpreter.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "worker/engine/script/aten_table.h"
#include "worker/engine/script/plain_operators.h"

namespace quantry::engine {
namespace {

namespace jit = torch::jit;

constexpr int64_t kMaxSteps = 200000;

// "model.py:12", of the Python source where the file tells it.
std::string SourceLine(const jit::Node& node) {
  jit::SourceRange range = node.sourceRange();
  if (const auto original = range.findSourceRangeThatGenerated()) range = *original;
  const auto place = range.file_line_col();
  if (!place.has_value()) return "";
  const auto& source = range.source();
  std::string line = source->get_line(source->lineno_for_offset(range.start())).str();
  absl::StripAsciiWhitespace(&line);
  if (line.size() > 120) line.resize(120);
  return absl::StrCat(" at ", std::get<0>(*place), ":", std::get<1>(*place), ": ", line);
}

bool IsTensorList(const c10::IValue& value) {
  if (!value.isList()) return false;
  const auto list = value.toListRef();
  return std::any_of(list.begin(), list.end(), [](const auto& item) { return item.isTensor(); });
}

c10::IValue Made(absl::string_view kind, const c10::Type& type, const jit::Stack& parts) {
  if (kind == "prim::TupleConstruct") return c10::ivalue::Tuple::create(parts);
  if (kind == "prim::ListConstruct") {
    c10::impl::GenericList list(type.containedTypes().at(0));
    for (const c10::IValue& part : parts) list.push_back(part);
    return list;
  }
  c10::impl::GenericDict dict(type.containedTypes().at(0), type.containedTypes().at(1));
  for (size_t i = 0; i + 1 < parts.size(); i += 2) dict.insert_or_assign(parts[i], parts[i + 1]);
  return dict;
}

jit::Stack Elements(const c10::IValue& value) {
  if (value.isTuple()) return jit::Stack(value.toTupleRef().elements());
  return value.toListRef().vec();
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

bool ScriptInterpreter::DispatchStructure(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  if (kind == "prim::Constant") {
    const auto constant = jit::toIValue(node.output());
    const c10::IValue value = constant.has_value() ? *constant : c10::IValue();
    Set(node.output(), {value, value});
  } else if (kind == "prim::GetAttr") {
    GetAttribute(node);
  } else if (kind == "prim::SetAttr") {
    const c10::IValue value = Get(node.inputs()[1])[0];
    const bool counter =
        value.isTensor() && at::isIntegralType(value.toTensor().scalar_type(), false);
    TORCH_CHECK(counter, "the model changes its attribute '", node.s(c10::attr::name), "'");
  } else if (kind == "prim::NumToTensor" || kind == "prim::unchecked_cast" ||
             kind == "prim::unchecked_unwrap_optional" || kind == "aten::_unwrap_optional") {
    Set(node.output(), Get(node.input(0)));
  } else if (kind == "aten::warn") {
    return true;
  } else if (const std::optional<bool> answer = FixedAnswer(kind)) {
    Set(node.output(), {*answer, *answer});
  } else if (kind == "prim::Uninitialized") {
    Set(node.output(), {});
  } else if (kind == "prim::RaiseException") {
    TORCH_CHECK(false, "the model refuses its input: ", Get(node.input(0))[0]);
  } else if (kind == "prim::TupleIndex") {
    Lanes lanes;
    for (size_t i = 0; i < kLanes; ++i) {
      const auto& elements = Get(node.inputs()[0])[i].toTupleRef().elements();
      const int64_t index = Get(node.inputs()[1])[i].toInt();
      const auto count = static_cast<int64_t>(elements.size());
      lanes[i] = elements.at(static_cast<size_t>(index < 0 ? index + count : index));
    }
    Set(node.output(), lanes);
  } else {
    const bool makes = kind == "prim::ListConstruct" || kind == "prim::TupleConstruct" ||
                       kind == "prim::DictConstruct";
    const bool unpacks = kind == "prim::ListUnpack" || kind == "prim::TupleUnpack";
    if (!makes && !unpacks) return false;
    std::vector<Lanes> results(node.outputs().size());
    for (size_t i = 0; i < kLanes; ++i) {
      jit::Stack stack;
      for (const jit::Value* input : node.inputs()) stack.push_back(Get(input)[i]);
      stack = makes ? jit::Stack{Made(kind, *node.output()->type(), stack)} : Elements(stack.at(0));
      TORCH_CHECK(stack.size() == results.size(), "has ", stack.size(), " elements, ",
                  results.size(), " are expected");
      for (size_t k = 0; k < results.size(); ++k) results[k][i] = stack.at(k);
    }
    for (size_t k = 0; k < results.size(); ++k) Set(node.outputs()[k], results[k]);
  }
  return true;
}

void ScriptInterpreter::GetAttribute(const jit::Node& node) {
  const std::string& name = node.s(c10::attr::name);
  Lanes lanes;
  for (size_t i = 0; i < kLanes; ++i) {
    lanes[i] = Get(node.inputs()[0])[i].toObjectRef().getAttr(name);
    if (name == "training" && lanes[i].isBool()) lanes[i] = c10::IValue(false);
  }
  Set(node.output(), lanes);
}

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
  const bool on_constants =
      tensors && plain && RunsOnConstants(kind) && !(small && IsPlainOperator(kind));
  if (MakesConstant(kind) || on_constants) return RunOnConstants(node);
  TORCH_CHECK(!computed || !AsksValue(kind), "depends on the values of a tensor");
  if (!tensors || AsksShape(kind) || on_list) return RunPlain(node);
  if (small && IsPlainOperator(kind)) return RunPlain(node);
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
  }
  Set(node.output(), result);
}

void ScriptInterpreter::RunPlain(const jit::Node& node) {
  TORCH_CHECK(IsPlainOperator(node.kind().toQualString()), "is not supported");
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
