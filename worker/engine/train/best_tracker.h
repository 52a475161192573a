#ifndef QUANTRY_WORKER_ENGINE_TRAIN_BEST_TRACKER_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_BEST_TRACKER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/engine/train/optimizer.h"

namespace quantry::engine {

// Follows the scores of the evaluations during training: the best weights, and when to stop.
// Not thread-safe.
class BestTracker {
 public:
  struct Options {
    bool keep = false;                // whether to keep the best weights
    std::optional<int64_t> patience;  // evaluations in a row without a better score, >= 1
  };

  // `state` is what is kept and restored; its tensors are looked at in Offer.
  BestTracker(std::vector<NamedTensor> state, Options options);

  // The score, larger is better, of the values that `state` has now, after `step` steps. Equal is
  // not better.
  void Offer(double score, int64_t step);
  // Of the last Offer; 0: none yet.
  int64_t last_step() const;

  // Whether options.patience is used up.
  bool ShouldStop() const;
  // The best score offered; absent: none yet.
  std::optional<double> best_score() const;

  // With options.keep and a score offered: copies the best values into `state`. Says whether.
  bool RestoreBest() const;

  // All that there is to know, for the checkpoint; copying into the tensors restores it.
  std::vector<NamedTensor> State() const;

 private:
  const Options options_;
  std::vector<NamedTensor> live_;
  std::vector<NamedTensor> best_;  // as live_ with options.keep, else empty
  at::Tensor progress_;            // float64: evaluations, best score, evaluations since, last step
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_BEST_TRACKER_H_
