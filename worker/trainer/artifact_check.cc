#include "worker/trainer/artifact_check.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "worker/engine/export/write_npy.h"

namespace quantry::trainer {

engine::EvaluationObserver ArtifactCheck::Expect() {
  expected_.clear();
  return [this](const engine::EvaluatedBatch& batch) {
    expected_.push_back(batch.logits.detach().clone());
    return absl::OkStatus();
  };
}

engine::EvaluationObserver ArtifactCheck::Compare() {
  samples_.clear();
  sampled_ = 0;
  max_difference_ = 0;
  return [this](const engine::EvaluatedBatch& batch) {
    const auto index = static_cast<size_t>(batch.batches_done - 1);
    if (index >= expected_.size()) {
      return absl::InternalError(absl::StrCat("the artifact was evaluated on batch ", index,
                                              ", the model before export on ", expected_.size(),
                                              " batches"));
    }
    const double difference = (batch.logits - expected_[index]).abs().max().item<double>();
    if (std::isnan(difference)) {
      return absl::InternalError(absl::StrCat("the artifact computes NaN in batch ", index));
    }
    max_difference_ = std::max(max_difference_, difference);
    if (sampled_ < kSamples) {
      samples_.push_back(batch.logits.detach().clone());
      sampled_ += batch.logits.size(0);
    }
    return absl::OkStatus();
  };
}

absl::Status ArtifactCheck::WriteSamples(const std::filesystem::path& path) const {
  return engine::WriteNpyFile(at::cat(samples_).slice(0, 0, kSamples).to(at::kFloat), path);
}

}  // namespace quantry::trainer
