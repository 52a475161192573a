#ifndef QUANTRY_WORKER_ENGINE_OPS_BATCH_NORMALIZATION_H_
#define QUANTRY_WORKER_ENGINE_OPS_BATCH_NORMALIZATION_H_

#include "worker/engine/graph/node.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// The inputs of ONNX BatchNormalization.
enum BatchNormInput : size_t {
  kBatchNormX = 0,
  kBatchNormGamma = 1,
  kBatchNormBeta = 2,
  kBatchNormMean = 3,      // running
  kBatchNormVariance = 4,  // running, that of n - 1, as torch keeps it
};

// The numbers of a BatchNormalization node.
struct BatchNormSettings {
  double epsilon = 1e-5;
  double new_share = 0.1;  // of the batch in the running statistics: torch's momentum, 1 - ONNX's
};
BatchNormSettings BatchNormSettingsOf(const Node& node);

// Whether a run normalizes with the batch's own statistics, and follows them.
bool UsesBatchStatistics(const EvaluateContext& context);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_BATCH_NORMALIZATION_H_
