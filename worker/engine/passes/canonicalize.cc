#include "worker/engine/passes/canonicalize.h"

#include "common/status_macros.h"
#include "worker/engine/passes/edit.h"
#include "worker/engine/passes/flatten_reshapes.h"
#include "worker/engine/passes/fold_constants.h"
#include "worker/engine/passes/fuse_hard_swish.h"

namespace quantry::engine {
namespace {

void RemoveIdentities(Graph& graph) {
  for (Node* node : graph.nodes()) {
    const bool plain = node->op() == "Identity" && node->inputs().size() == 1 &&
                       node->input(0) != nullptr && node->outputs().size() == 1;
    if (plain) ReplaceNode(graph, node, node->input(0));
  }
}

}  // namespace

absl::Status Canonicalize(Graph& graph) {
  RemoveIdentities(graph);
  QUANTRY_RETURN_IF_ERROR(FoldConstants(graph));
  FlattenReshapes(graph);
  FuseHardSwish(graph);
  graph.RemoveDead();
  return absl::OkStatus();
}

}  // namespace quantry::engine
