#ifndef QUANTRY_TESTS_WORKER_ENGINE_EXPORT_QUANTIZED_NET_H_
#define QUANTRY_TESTS_WORKER_ENGINE_EXPORT_QUANTIZED_NET_H_

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"

namespace quantry::engine {

// `graph` with the FakeQuantize nodes that `config` asks for, calibrated with `data`.
inline Graph Quantized(Graph graph, const QuantConfig& config, const at::Tensor& data) {
  if (FoldsBatchNormBeforeTraining(config)) FoldBatchNorm(graph);
  InsertFakeQuant(graph, Annotate(graph, config, {}).value());
  RunGraph(graph, data, RunPhase::kCalibrate);
  return graph;
}

// |a - b| / |b|, in the Euclidean norm.
inline double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

// As Quantized, with the plan fitted to the profile that `config` names.
inline Graph FittedToProfile(Graph graph, const QuantConfig& config, const at::Tensor& data) {
  QuantPlan plan = Annotate(graph, config, {}).value();
  FitToProfile(graph, config, plan);
  InsertFakeQuant(graph, plan);
  RunGraph(graph, data, RunPhase::kCalibrate);
  return graph;
}

// Counts nodes of the kind.
inline int Count(const Graph& graph, absl::string_view op) {
  int count = 0;
  for (const Node* node : graph.nodes()) count += node->op() == op;
  return count;
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_EXPORT_QUANTIZED_NET_H_
