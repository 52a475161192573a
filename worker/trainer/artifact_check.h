#ifndef QUANTRY_WORKER_TRAINER_ARTIFACT_CHECK_H_
#define QUANTRY_WORKER_TRAINER_ARTIFACT_CHECK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "worker/engine/evaluate/evaluate_model.h"

namespace quantry::trainer {

// Compares what the written artifact computes with what the model computed before it was written,
// batch by batch over the same evaluation examples. Not thread-safe.
class ArtifactCheck {
 public:
  // Takes the outputs of the model before export. Each call starts anew: the last one counts.
  engine::EvaluationObserver Expect();

  // Takes the outputs of the artifact. INTERNAL if a batch is not like the expected one.
  engine::EvaluationObserver Compare();

  // The largest |artifact - expected| of all outputs so far.
  double max_difference() const { return max_difference_; }

  // Writes the artifact's outputs (of several the one that the task is about) for the first
  // kSamples examples of the evaluation set, in its order, as a NumPy array [n, ...], float32: what
  // a runtime that serves it is to compute.
  static constexpr int64_t kSamples = 256;
  absl::Status WriteSamples(const std::filesystem::path& path) const;

 private:
  std::vector<std::vector<at::Tensor>> expected_;  // per batch, every output
  std::vector<at::Tensor> samples_;  // of the artifact; first kSamples rows or a few more
  int64_t sampled_ = 0;              // rows in samples_
  double max_difference_ = 0;
};

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_ARTIFACT_CHECK_H_
