#include "worker/engine/ops/flattened_axis.h"

#include <ATen/ATen.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

bool IsLastAxis(const Value* x, int64_t axis) {
  if (axis == -1) return true;
  return x != nullptr && x->type.shape && axis + 1 == static_cast<int64_t>(x->type.shape->size());
}

}  // namespace

absl::Status UpgradeFlattenedAxis(Graph& graph, Node& node, int64_t opset) {
  if (opset >= 13) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<int64_t> given,
                           TakeAttribute<int64_t>(node, "axis"));
  const int64_t axis = given.value_or(1);
  Value* x = node.input(0);
  node.attributes["axis"] = int64_t{-1};
  if (x == nullptr || IsLastAxis(x, axis)) return absl::OkStatus();
  Value* y = node.output();
  const std::string name = y->name();
  Node* flat =
      graph.AddNode("Flatten", absl::StrCat(node.name(), ".flatten"), {x}, {{"axis", axis}});
  graph.SetInput(&node, 0, flat->output());
  Node* shape = graph.AddNode("Shape", absl::StrCat(node.name(), ".shape"), {x});
  Node* reshape =
      graph.AddNode("Reshape", absl::StrCat(node.name(), ".reshape"), {y, shape->output()});
  reshape->output()->type = y->type;
  y->type = {};
  graph.ReplaceAllUses(y, reshape->output(), reshape);
  graph.Rename(reshape->output(), name);
  return absl::OkStatus();
}

}  // namespace quantry::engine
