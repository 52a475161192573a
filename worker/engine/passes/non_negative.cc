#include "worker/engine/passes/non_negative.h"

#include <algorithm>
#include <vector>

#include "absl/strings/string_view.h"
#include "worker/engine/passes/clamp.h"

namespace quantry::engine {
namespace {

// Never negative by themselves.
constexpr absl::string_view kSources[] = {"Abs",     "Exp",     "HardSigmoid", "Relu",
                                          "Sigmoid", "Softmax", "Softplus",    "Sqrt"};

// Output 0 is made of elements of input 0, of means or maxima of them, or of zeros.
constexpr absl::string_view kKeepSignOfFirst[] = {
    "AveragePool",   "DepthToSpace", "Dropout",      "Flatten",   "Gather",     "GlobalAveragePool",
    "GlobalMaxPool", "Identity",     "MaxPool",      "ReduceMax", "ReduceMean", "ReduceSum",
    "Reshape",       "Slice",        "SpaceToDepth", "Split",     "Squeeze",    "Transpose",
    "Unsqueeze"};

// Not negative if no input is.
constexpr absl::string_view kKeepSignOfAll[] = {"Add", "Concat", "Max", "Mul", "Sum"};

template <size_t kCount>
bool Contains(const absl::string_view (&names)[kCount], absl::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool IsNonNegative(const Node& node, const std::set<const Value*>& known) {
  if (Contains(kSources, node.op())) return true;
  if (const auto clamp = ClampOf(node); clamp && clamp->low >= 0) return true;
  const auto& inputs = node.inputs();
  if (Contains(kKeepSignOfFirst, node.op())) return known.contains(node.input(0));
  return Contains(kKeepSignOfAll, node.op()) &&
         std::all_of(inputs.begin(), inputs.end(),
                     [&](const Value* input) { return known.contains(input); });
}

}  // namespace

std::set<const Value*> NonNegativeValues(const Graph& graph) {
  std::set<const Value*> known;
  const auto order = graph.TopologicalOrder();
  if (!order.ok()) return known;
  for (const Node* node : *order) {
    if (!IsNonNegative(*node, known)) continue;
    for (const Value* output : node->outputs()) known.insert(output);
  }
  return known;
}

}  // namespace quantry::engine
