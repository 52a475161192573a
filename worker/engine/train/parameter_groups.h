#ifndef QUANTRY_WORKER_ENGINE_TRAIN_PARAMETER_GROUPS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_PARAMETER_GROUPS_H_

#include <vector>

#include "worker/engine/graph/graph.h"
#include "worker/engine/train/optimizer.h"
#include "worker/engine/train/train_options.h"

namespace quantry::engine {

// Makes every parameter of `graph` a leaf that asks for gradients, and 4-d weights channels_last.
void PrepareParameters(Graph& graph);

// Undoes that: parameters ask for no gradients and hold none. No TrainingLoop of `graph` may be
// used afterwards.
void ReleaseParameters(Graph& graph);

// The parameters of `graph` in groups: PACT's alphas with a rate and decay of their own; learned step
// sizes without decay; biases and norms (no dimension or one) without decay, unless
// options.decay_norm_and_bias; all others with options.weight_decay.
std::vector<ParameterGroup> MakeParameterGroups(const Graph& graph, const TrainOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_PARAMETER_GROUPS_H_
