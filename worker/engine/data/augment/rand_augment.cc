#include "worker/engine/data/augment/rand_augment.h"

namespace quantry::engine {

RandAugment::RandAugment(const AugmentOptions& options)
    : count_(options.rand_augment_ops), strength_(options.rand_augment_magnitude / 10.0) {
  for (const std::string& name : options.rand_augment_policy) {
    if (const AugmentOp* op = FindAugmentOp(name)) policy_.push_back(*op);
  }
  const absl::Span<const AugmentOp> all = AugmentOpTable();
  if (policy_.empty()) policy_.assign(all.begin(), all.end());
}

void RandAugment::Apply(CounterRng* rng, cv::Mat* picture) const {
  for (int i = 0; i < count_; ++i) {
    policy_[rng->Below(static_cast<int64_t>(policy_.size()))].apply(strength_, rng, picture);
  }
}

}  // namespace quantry::engine
