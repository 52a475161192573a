#include "worker/engine/train/best_tracker.h"

#include <ATen/ATen.h>

#include <utility>

namespace quantry::engine {
namespace {

// Elements of progress_; fixed, as they are stored.
constexpr size_t kEvaluations = 0;
constexpr size_t kBestScore = 1;
constexpr size_t kSinceBest = 2;
constexpr size_t kLastStep = 3;
constexpr int64_t kProgressSize = 4;

double* Data(const at::Tensor& progress) { return progress.data_ptr<double>(); }

}  // namespace

BestTracker::BestTracker(std::vector<NamedTensor> state, Options options)
    : options_(options),
      live_(std::move(state)),
      progress_(at::zeros({kProgressSize}, at::kDouble)) {
  if (!options_.keep) return;
  for (const NamedTensor& live : live_) best_.push_back({live.name, live.tensor.detach().clone()});
}

void BestTracker::Offer(double score, int64_t step) {
  const at::NoGradGuard no_grad;
  double* progress = Data(progress_);
  const bool better = progress[kEvaluations] == 0 || score > progress[kBestScore];
  progress[kEvaluations] += 1;
  progress[kLastStep] = static_cast<double>(step);
  progress[kSinceBest] = better ? 0 : progress[kSinceBest] + 1;
  if (!better) return;
  progress[kBestScore] = score;
  for (size_t i = 0; i < best_.size(); ++i) best_[i].tensor.copy_(live_[i].tensor);
}

int64_t BestTracker::last_step() const { return static_cast<int64_t>(Data(progress_)[kLastStep]); }

bool BestTracker::ShouldStop() const {
  return options_.patience &&
         Data(progress_)[kSinceBest] >= static_cast<double>(*options_.patience);
}

std::optional<double> BestTracker::best_score() const {
  if (Data(progress_)[kEvaluations] == 0) return std::nullopt;
  return Data(progress_)[kBestScore];
}

bool BestTracker::RestoreBest() const {
  if (!options_.keep || !best_score()) return false;
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < best_.size(); ++i) {
    at::Tensor live = live_[i].tensor;
    live.copy_(best_[i].tensor);
  }
  return true;
}

std::vector<NamedTensor> BestTracker::State() const {
  std::vector<NamedTensor> state = best_;
  state.push_back({"evaluations", progress_});
  return state;
}

}  // namespace quantry::engine
