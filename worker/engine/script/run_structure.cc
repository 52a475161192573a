// What a program does with values and modules: constants, attributes, lists, tuples and
// dictionaries.
#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>

#include <optional>
#include <string>

#include "worker/engine/script/interpreter.h"
#include "worker/engine/script/runnable_operators.h"

namespace quantry::engine {

namespace jit = torch::jit;

namespace {

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

// A trace keeps a Python number as a tensor without dimensions; to torch's type promotion it is a
// number still.
c10::IValue ConstantOf(const jit::Node& node) {
  const c10::optional<c10::IValue> value = jit::toIValue(node.output());
  if (!value.has_value() || !value->isTensor()) return value.value_or(c10::IValue());
  const at::Tensor tensor = value->toTensor();
  const bool number = tensor.defined() && tensor.dim() == 0 &&
                      (tensor.scalar_type() == at::kDouble || tensor.scalar_type() == at::kLong);
  if (!number) return *value;
  const at::Tensor copy = tensor.clone();
  copy.unsafeGetTensorImpl()->set_wrapped_number(true);
  return copy;
}

jit::Stack Elements(const c10::IValue& value) {
  if (value.isTuple()) return jit::Stack(value.toTupleRef().elements());
  return value.toListRef().vec();
}

}  // namespace

bool ScriptInterpreter::DispatchStructure(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  if (kind == "prim::Constant") {
    const c10::IValue value = ConstantOf(node);
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

}  // namespace quantry::engine
