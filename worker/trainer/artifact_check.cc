#include "worker/trainer/artifact_check.h"

#include <ATen/ATen.h>

#include <algorithm>

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
  return [this, next = size_t{0}](const engine::EvaluatedBatch& batch) mutable {
    if (next >= expected_.size() || expected_[next].sizes() != batch.logits.sizes()) {
      return absl::InternalError(absl::StrCat("output ", next,
                                              " of the artifact has no partner among the ",
                                              expected_.size(), " of the model before export"));
    }
    const double difference = (batch.logits - expected_[next]).abs().max().item<double>();
    ++next;
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
