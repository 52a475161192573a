#ifndef QUANTRY_WORKER_ENGINE_TRAIN_DISTILLATION_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_DISTILLATION_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/train/distillation_options.h"

namespace quantry::engine {

// Collects inner values of a graph while it runs. Not thread-safe.
class FeatureCapture {
 public:
  // INVALID_ARGUMENT names a feature that no node of `graph` computes. `whose`: "the float model".
  static absl::StatusOr<FeatureCapture> Create(const Graph& graph,
                                               const std::vector<std::string>& features,
                                               absl::string_view whose);

  // For Executor::Run; null if there are no features. The capture must outlive it, in its place.
  Executor::NodeHook Hook();
  // Of the last run, in the order of `features`.
  const std::vector<at::Tensor>& values() const { return values_; }

 private:
  struct Place {
    size_t output = 0;   // of the node
    size_t feature = 0;  // of values_
  };
  std::unordered_map<const Node*, std::vector<Place>> places_;
  std::vector<at::Tensor> values_;
};

// Measures how far a network (the student) is from its teacher, which runs in evaluation mode
// without gradients. Not thread-safe.
class Distiller {
 public:
  // Both graphs must outlive the distiller and not be edited meanwhile. `options` must be valid.
  // INVALID_ARGUMENT where the two don't fit: outputs, or a feature that one of them lacks.
  static absl::StatusOr<std::unique_ptr<Distiller>> Create(const Graph& teacher,
                                                           const Graph& student,
                                                           const DistillationOptions& options);

  // The hook with which the student is to be run before Loss; null if there are no features.
  Executor::NodeHook StudentHook() { return student_.Hook(); }

  // For the batch that the student just gave `outputs` for, the terms of DistillationOptions but
  // the task's. Float outputs [n, k], t the teacher's, s the student's, T the temperature:
  //   kl:  T^2 * mean over n of sum_k softmax(t / T)_k * log(softmax(t / T)_k / softmax(s / T)_k)
  //        (Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015)
  //   mse: mean of (t - s)^2, as for each feature (Romero et al., "FitNets", ICLR 2015)
  // Of [n, k, ...] each place counts like an example, of [n, places, k] too. Several outputs: the
  // sum. `inputs` are what the student ran on.
  absl::StatusOr<at::Tensor> Loss(absl::Span<const at::Tensor> inputs,
                                  absl::Span<const at::Tensor> outputs);

 private:
  Distiller(std::unique_ptr<Executor> executor, FeatureCapture teacher, FeatureCapture student,
            DistillationOptions options)
      : executor_(std::move(executor)),
        teacher_(std::move(teacher)),
        student_(std::move(student)),
        options_(std::move(options)) {}

  absl::StatusOr<at::Tensor> OutputsDistance(absl::Span<const at::Tensor> outputs,
                                             absl::Span<const at::Tensor> expected) const;

  const std::unique_ptr<Executor> executor_;
  FeatureCapture teacher_;
  FeatureCapture student_;
  const DistillationOptions options_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_DISTILLATION_H_
