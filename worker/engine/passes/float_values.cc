#include "worker/engine/passes/float_values.h"

#include <ATen/ATen.h>

#include <variant>

#include "absl/strings/string_view.h"

namespace quantry::engine {
namespace {

constexpr int64_t kOnnxFloat = 1;

// Where an operator's output gets its type from.
enum class TypeSource { kNever, kAlways, kInput0, kInput1, kInput2, kTo, kDtype, kValue };

struct Exception {
  absl::string_view op;
  TypeSource source;
};

// All operators that do not hand the type of input 0 on.
constexpr Exception kExceptions[] = {
    {"And", TypeSource::kNever},
    {"ArgMax", TypeSource::kNever},
    {"ArgMin", TypeSource::kNever},
    {"BlackmanWindow", TypeSource::kNever},
    {"Cast", TypeSource::kTo},
    {"CastLike", TypeSource::kInput1},
    {"ConstantOfShape", TypeSource::kValue},
    {"ConvInteger", TypeSource::kNever},
    {"DequantizeLinear", TypeSource::kInput1},
    {"DynamicQuantizeLinear", TypeSource::kNever},
    {"Equal", TypeSource::kNever},
    {"EyeLike", TypeSource::kDtype},
    {"Greater", TypeSource::kNever},
    {"GreaterOrEqual", TypeSource::kNever},
    {"HammingWindow", TypeSource::kNever},
    {"HannWindow", TypeSource::kNever},
    {"IsInf", TypeSource::kNever},
    {"IsNaN", TypeSource::kNever},
    {"Less", TypeSource::kNever},
    {"LessOrEqual", TypeSource::kNever},
    {"MatMulInteger", TypeSource::kNever},
    {"NonMaxSuppression", TypeSource::kNever},
    {"NonZero", TypeSource::kNever},
    {"Not", TypeSource::kNever},
    {"OneHot", TypeSource::kInput2},
    {"Or", TypeSource::kNever},
    {"QLinearConv", TypeSource::kNever},
    {"QLinearMatMul", TypeSource::kNever},
    {"QuantizeLinear", TypeSource::kNever},
    {"Shape", TypeSource::kNever},
    {"Size", TypeSource::kNever},
    {"Where", TypeSource::kInput1},
    {"Xor", TypeSource::kNever},
};

TypeSource SourceOf(const Node& node) {
  for (const Exception& exception : kExceptions) {
    if (exception.op == node.op()) return exception.source;
  }
  return node.inputs().empty() ? TypeSource::kAlways : TypeSource::kInput0;
}

// Whether the tensor attribute "value", of which the default is float, is float.
bool FloatAttribute(const Node& node) {
  const auto value = node.attributes.find("value");
  if (value == node.attributes.end()) return true;
  const auto* tensor = std::get_if<at::Tensor>(&value->second);
  return tensor == nullptr || tensor->scalar_type() == at::kFloat;
}

bool FirstOutputIsFloat(const Node& node, const std::set<const Value*>& floats) {
  const auto input = [&](size_t index) { return floats.contains(node.input(index)); };
  switch (SourceOf(node)) {
    case TypeSource::kNever:
      return false;
    case TypeSource::kAlways:
      return true;
    case TypeSource::kInput0:
      return input(0);
    case TypeSource::kInput1:
      return input(1);
    case TypeSource::kInput2:
      return input(2);
    case TypeSource::kTo:
      return node.Int("to", 0) == kOnnxFloat;
    case TypeSource::kDtype:
      return node.HasAttribute("dtype") ? node.Int("dtype", 0) == kOnnxFloat : input(0);
    case TypeSource::kValue:
      return FloatAttribute(node);
  }
  return false;
}

}  // namespace

std::set<const Value*> FloatValues(const Graph& graph, const std::vector<Node*>& order) {
  std::set<const Value*> floats;
  for (const Value* value : graph.inputs()) {
    if (value->type.dtype.value_or(at::kFloat) == at::kFloat) floats.insert(value);
  }
  for (const Value* value : graph.initializers()) {
    if (value->tensor().scalar_type() == at::kFloat) floats.insert(value);
  }
  for (const Node* node : order) {
    const bool is_float = FirstOutputIsFloat(*node, floats);
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      const Value* output = node->output(i);
      // Second outputs are indices or masks, but for Split's.
      const bool guess = is_float && (i == 0 || node->op() == "Split");
      if (output->type.dtype ? *output->type.dtype == at::kFloat : guess) floats.insert(output);
    }
  }
  return floats;
}

}  // namespace quantry::engine
