#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RAND_AUGMENT_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RAND_AUGMENT_H_

#include <opencv2/core.hpp>
#include <vector>

#include "worker/engine/data/augment/augment_op.h"
#include "worker/engine/data/augment/augment_options.h"
#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// Draws rand_augment_ops operations, each one with the same probability and with replacement, and
// carries them out in turn with strength rand_augment_magnitude / 10. Thread-safe.
class RandAugment {
 public:
  // `options` must be valid.
  explicit RandAugment(const AugmentOptions& options);

  // `picture` is CV_8UC3 and continuous, and stays so. Throws cv::Exception if OpenCV fails.
  void Apply(CounterRng* rng, cv::Mat* picture) const;

 private:
  const int count_;
  const double strength_;
  std::vector<AugmentOp> policy_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RAND_AUGMENT_H_
