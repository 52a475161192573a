#include "worker/engine/passes/fold_constants.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/assign_roles.h"
#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxBroadcastElements = int64_t{1} << 24;

// Operators whose result is never larger than their inputs.
constexpr std::array<absl::string_view, 27> kMoving = {
    "Abs",        "Cast",      "CastLike", "Ceil",      "Concat",     "Exp",       "Flatten",
    "Floor",      "Identity",  "Neg",      "Not",       "Reciprocal", "ReduceMax", "ReduceMin",
    "ReduceProd", "ReduceSum", "Reshape",  "Round",     "Shape",      "Size",      "Slice",
    "Split",      "Sqrt",      "Squeeze",  "Transpose", "Trilu",      "Unsqueeze"};
// Operators whose result may have as many elements as the product of those of their inputs.
constexpr std::array<absl::string_view, 20> kBroadcasting = {
    "Add",      "And",         "Div",
    "Equal",    "Gather",      "GatherElements",
    "GatherND", "Greater",     "GreaterOrEqual",
    "Less",     "LessOrEqual", "Max",
    "Min",      "Mod",         "Mul",
    "Or",       "Pow",         "ScatterND",
    "Sub",      "Where"};
// Operators whose result has the sizes that the elements of their last input say, at most times
// those of the others.
constexpr std::array<absl::string_view, 3> kSized = {"ConstantOfShape", "Expand", "Tile"};
constexpr std::array<absl::string_view, 4> kRepeating = {"Expand", "GatherElements", "GatherND",
                                                         "Tile"};

template <size_t n>
bool Contains(const std::array<absl::string_view, n>& list, absl::string_view op) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

bool IsParameter(const Value* input) {
  return input != nullptr && input->is_initializer() &&
         input->role() == InitializerRole::kParameter;
}

bool IsConstant(const Value* input) {
  return input != nullptr && input->is_initializer() && input->role() == InitializerRole::kConstant;
}

bool AllKnown(const Node& node) {
  if (node.inputs().empty()) return false;
  return std::all_of(node.inputs().begin(), node.inputs().end(), [](const Value* input) {
    return input == nullptr || IsConstant(input) || (IsParameter(input) && !HasRoleByUse(*input));
  });
}

bool ReadsParameter(const Node& node) {
  return std::any_of(node.inputs().begin(), node.inputs().end(), IsParameter);
}

// Whether one element of a parameter may come to stand at several places of the result.
bool Repeats(const Node& node) {
  if (node.op() == "Gather") return node.input(1) == nullptr || node.input(1)->tensor().numel() > 1;
  return Contains(kRepeating, node.op());
}

// Whether training its result would be something else than training the parameters it reads:
// elements that are one would part, or what is fixed would move.
bool TrainsOtherwise(const Node& node) {
  if (!ReadsParameter(node)) return false;
  const bool joins =
      std::any_of(node.inputs().begin(), node.inputs().end(), [&](const Value* input) {
        if (!IsConstant(input)) return false;
        const at::Tensor& fixed = input->tensor();
        const bool content = fixed.is_floating_point() || fixed.scalar_type() == at::kBool;
        return content && (fixed.numel() > 1 || node.op() == "Concat");
      });
  return joins || Repeats(node);
}

// The elements of a Range of integers, as torch counts positions; empty where these are many.
std::optional<int64_t> RangeElements(const Node& node) {
  std::vector<int64_t> numbers;
  for (const Value* input : node.inputs()) {
    const auto number = ConstantInts(input);
    if (!number.has_value() || number->size() != 1) return std::nullopt;
    numbers.push_back(number->front());
  }
  constexpr int64_t kFar = int64_t{1} << 40;
  const auto is_far = [](int64_t number) { return number <= -kFar || number >= kFar; };
  if (numbers.size() != 3 || numbers[2] == 0 || is_far(numbers[0]) || is_far(numbers[1])) {
    return std::nullopt;
  }
  const int64_t steps = std::abs((numbers[1] - numbers[0]) / numbers[2]);
  return steps < kMaxBroadcastElements ? std::optional(steps + 1) : std::nullopt;
}

// The most elements that the result may have. Empty: not known, or too many.
std::optional<int64_t> ElementsOf(const Node& node) {
  int64_t elements = 1;
  if (Contains(kMoving, node.op())) {
    int64_t sum = 0;
    for (const Value* input : node.inputs()) sum += input == nullptr ? 0 : input->tensor().numel();
    return sum;
  }
  if (node.op() == "Range") return RangeElements(node);
  if (Contains(kSized, node.op())) {
    const auto sizes = ConstantInts(node.inputs().back());
    if (!sizes.has_value()) return std::nullopt;
    for (const int64_t size : *sizes) {
      if (size < 0 || __builtin_mul_overflow(elements, size, &elements)) return std::nullopt;
    }
  } else if (!Contains(kBroadcasting, node.op())) {
    return std::nullopt;
  }
  if (elements > kMaxBroadcastElements) return std::nullopt;
  for (const Value* input : node.inputs()) {
    if (input == nullptr) continue;
    const bool overflow = __builtin_mul_overflow(elements, input->tensor().numel(), &elements);
    if (overflow || elements > kMaxBroadcastElements) return std::nullopt;
  }
  return elements;
}

// What folding may still make. A small file can ask for far more than any network needs: by copies
// of copies of its largest tensor, or by sizes as such.
class Budget {
 public:
  explicit Budget(const Graph& graph) {
    for (const Value* initializer : graph.initializers()) left_ += initializer->tensor().numel();
    left_ = 4 * left_ + kSpare;
  }

  // `elements`: at most how many. Of broadcasting that is far above what comes out, and bounded.
  bool HasRoomFor(int64_t elements) const {
    return elements <= left_ || (elements <= kMaxBroadcastElements && left_ > 0);
  }
  void Spend(const std::vector<at::Tensor>& results) {
    for (const at::Tensor& result : results) left_ -= result.numel();
  }

 private:
  static constexpr int64_t kSpare = int64_t{1} << 26;

  int64_t left_ = 0;  // elements
};

bool IsFoldable(const Node& node, const OperatorDef& def, const Budget& budget) {
  if (def.evaluate == nullptr || !AllKnown(node) || TrainsOtherwise(node)) return false;
  const std::optional<int64_t> elements = ElementsOf(node);
  return elements.has_value() && budget.HasRoomFor(*elements);
}

absl::StatusOr<std::vector<at::Tensor>> Evaluate(const Node& node, const OperatorDef& def) {
  const std::string context = absl::StrCat("node '", node.name(), "' (", node.op(), ")");
  QUANTRY_RETURN_IF_ERROR(WithContext(VerifyOperator(node, def), context));
  std::vector<at::Tensor> inputs;
  for (const Value* input : node.inputs()) {
    inputs.push_back(input == nullptr ? at::Tensor() : input->tensor());
  }
  try {
    std::vector<at::Tensor> outputs = def.evaluate(node, inputs, EvaluateContext{});
    for (at::Tensor& output : outputs) output = output.contiguous().clone();
    return outputs;
  } catch (const std::exception& error) {
    const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
    return absl::InvalidArgumentError(absl::StrCat(
        context, ": its constant inputs don't fit: ",
        torch_error == nullptr ? error.what() : torch_error->what_without_backtrace()));
  }
}

// What is known of the elements of a Shape node's output.
std::optional<std::vector<Dimension>> KnownSizes(const Node* node) {
  if (node == nullptr || node->op() != "Shape" || node->input(0) == nullptr) return std::nullopt;
  const auto& shape = node->input(0)->type.shape;
  if (!shape.has_value()) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  const auto bound = [rank](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const int64_t start = bound(node->Int("start", 0));
  const int64_t end = std::max(start, bound(node->Int("end", rank)));
  return std::vector<Dimension>(shape->begin() + start, shape->begin() + end);
}

std::optional<at::Tensor> ShapeOf(const Node& node) {
  const auto sizes = KnownSizes(&node);
  if (!sizes.has_value()) return std::nullopt;
  std::vector<int64_t> known;
  for (const Dimension& size : *sizes) {
    if (!size.has_value()) return std::nullopt;
    known.push_back(*size);
  }
  return at::tensor(known, at::kLong);
}

// Gather(Shape(x), constant index) where those sizes of x are known.
std::optional<at::Tensor> GatheredSizes(const Node& node) {
  if (node.op() != "Gather" || node.Int("axis", 0) != 0 || node.input(0) == nullptr) {
    return std::nullopt;
  }
  const auto sizes = KnownSizes(node.input(0)->producer());
  const auto indices = ConstantInts(node.input(1));
  if (!sizes.has_value() || !indices.has_value()) return std::nullopt;
  std::vector<int64_t> known;
  for (const int64_t index : *indices) {
    const auto count = static_cast<int64_t>(sizes->size());
    const int64_t at = index < 0 ? index + count : index;
    if (at < 0 || at >= count || !(*sizes)[static_cast<size_t>(at)].has_value()) {
      return std::nullopt;
    }
    known.push_back(*(*sizes)[static_cast<size_t>(at)]);
  }
  return at::tensor(known, at::kLong).reshape(node.input(1)->tensor().sizes());
}

bool IsAnyGraphOutput(const Graph& graph, const Node& node) {
  return std::any_of(node.outputs().begin(), node.outputs().end(),
                     [&](const Value* output) { return IsGraphOutput(graph, output); });
}

// Puts initializers of the same names in the place of the node's outputs.
void Replace(Graph& graph, Node* node, const std::vector<at::Tensor>& results) {
  const bool trained = ReadsParameter(*node);
  std::vector<Value*> known;
  std::vector<std::string> names;
  for (size_t i = 0; i < results.size(); ++i) {
    Value* output = node->output(i);
    names.push_back(output->name());
    const bool parameter = trained && results[i].scalar_type() == at::kFloat;
    known.push_back(
        graph.AddInitializer(names[i], results[i],
                             parameter ? InitializerRole::kParameter : InitializerRole::kConstant));
    graph.ReplaceAllUses(output, known[i]);
  }
  graph.RemoveNode(node);
  for (size_t i = 0; i < known.size(); ++i) graph.Rename(known[i], names[i]);
}

}  // namespace

absl::Status FoldConstants(Graph& graph) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  Budget budget(graph);
  for (Node* node : order) {
    if (IsAnyGraphOutput(graph, *node)) continue;
    std::vector<at::Tensor> results;
    std::optional<at::Tensor> sizes = ShapeOf(*node);
    if (!sizes.has_value()) sizes = GatheredSizes(*node);
    const OperatorDef* def = FindOperator(node->op());
    if (sizes.has_value()) {
      results = {*sizes};
    } else if (def != nullptr && IsFoldable(*node, *def, budget)) {
      QUANTRY_ASSIGN_OR_RETURN(results, Evaluate(*node, *def));
      budget.Spend(results);
    }
    if (results.size() == node->outputs().size()) Replace(graph, node, results);
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
