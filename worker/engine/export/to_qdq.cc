#include "worker/engine/export/to_qdq.h"

#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/export/deployed_model.h"
#include "worker/engine/export/lower_activation.h"
#include "worker/engine/export/lower_weight.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {

absl::StatusOr<Graph> ToQdq(const Graph& trained, const QdqOptions& options) {
  const at::NoGradGuard no_grad;
  QUANTRY_ASSIGN_OR_RETURN(Graph graph, DeployedModel(trained, options));
  for (Node* node : graph.nodes()) {
    if (node->op() != kFakeQuantizeOp) continue;
    QUANTRY_RETURN_IF_ERROR(LowerActivation(graph, node, options));
  }
  AddWeightZeroPoints(graph, options);
  graph.RemoveDead();
  QUANTRY_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace quantry::engine
