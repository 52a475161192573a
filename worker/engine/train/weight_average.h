#ifndef QUANTRY_WORKER_ENGINE_TRAIN_WEIGHT_AVERAGE_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_WEIGHT_AVERAGE_H_

#include <cstdint>
#include <vector>

#include "worker/engine/train/optimizer.h"

namespace quantry::engine {

// An exponential moving average of a graph's state (Polyak and Juditsky, 1992, with forgetting):
// after update t = 1, 2, ... average = d * average + (1 - d) * now, with d = min(decay, (1 + t) /
// (10 + t)), which lets go of the start quickly. Covers parameters and floating-point buffers;
// others are copied. A quantizer's scale is averaged as well: the average of max|w| is at least
// max|average of w|, so averaged weights are not clipped. Not thread-safe.
class WeightAverage {
 public:
  // Starts at the values of `state`, whose tensors it keeps to look at. `decay` in (0, 1).
  WeightAverage(std::vector<NamedTensor> state, double decay);

  // Takes the values as they are now in, after update number `updates` (>= 1).
  void Update(int64_t updates);

  // Copies the averages into the tensors that are looked at.
  void Apply() const;

  // The averages; copying into them restores a state.
  const std::vector<NamedTensor>& averages() const { return averages_; }

 private:
  const double decay_;
  std::vector<NamedTensor> live_;
  std::vector<NamedTensor> averages_;  // as live_
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_WEIGHT_AVERAGE_H_
