#ifndef QUANTRY_TESTS_WORKER_ENGINE_FUSE_FUSED_RUNS_H_
#define QUANTRY_TESTS_WORKER_ENGINE_FUSE_FUSED_RUNS_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The names of the nodes of each fused operator.
std::vector<std::vector<std::string>> Fused(const Graph& graph);

using Fusing = Executor::Fusing;

std::unique_ptr<Executor> ExecutorOf(const Graph& graph, Fusing fusing);

// What a run gives: the output "y", and the gradients of inputs and parameters, each by its name
// with "d" before it.
using Results = std::map<std::string, at::Tensor>;

// Forward, and backward from `dy`.
Results Train(const Graph& graph, std::vector<at::Tensor> inputs, const at::Tensor& dy,
              const EvaluateContext& context, Fusing fusing);

// `graph` with the same quantizers, parameters and statistics in double.
Graph InDouble(const Graph& graph);

// The largest difference, to the largest value of `b`.
double Distance(const at::Tensor& a, const at::Tensor& b);

// The root mean square of the differences, to that of `b`: bf16 rounds single values by up to 4e-3.
double MeanDistance(const at::Tensor& a, const at::Tensor& b);

// Random numbers; four dimensions are pictures in channels_last.
at::Tensor Pixels(std::vector<int64_t> sizes);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_FUSE_FUSED_RUNS_H_
