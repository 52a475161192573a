#include "worker/trainer/artifact_check.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "worker/engine/export/write_npy.h"

namespace quantry::trainer {
namespace {

bool SameShapes(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(),
      [](const at::Tensor& x, const at::Tensor& y) { return x.sizes() == y.sizes(); });
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0) return 0.0;
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace

engine::EvaluationObserver ArtifactCheck::Expect() {
  expected_.clear();
  return [this](const engine::EvaluatedBatch& batch) {
    std::vector<at::Tensor>& outputs = expected_.emplace_back();
    for (const at::Tensor& output : batch.outputs) outputs.push_back(output.detach().clone());
    return absl::OkStatus();
  };
}

engine::EvaluationObserver ArtifactCheck::Compare() {
  samples_.clear();
  sampled_ = 0;
  max_difference_ = 0;
  return [this, next = size_t{0}](const engine::EvaluatedBatch& batch) mutable {
    if (next >= expected_.size() || !SameShapes(expected_[next], batch.outputs)) {
      return absl::InternalError(absl::StrCat("output ", next,
                                              " of the artifact has no partner among the ",
                                              expected_.size(), " of the model before export"));
    }
    for (size_t i = 0; i < batch.outputs.size(); ++i) {
      max_difference_ =
          std::max(max_difference_, LargestDifference(batch.outputs[i], expected_[next][i]));
    }
    ++next;
    if (sampled_ < kSamples) {
      samples_.push_back(batch.logits.detach().clone());
      sampled_ += batch.examples;
    }
    return absl::OkStatus();
  };
}

absl::Status ArtifactCheck::WriteSamples(const std::filesystem::path& path) const {
  return engine::WriteNpyFile(at::cat(samples_).slice(0, 0, kSamples).to(at::kFloat), path);
}

}  // namespace quantry::trainer
