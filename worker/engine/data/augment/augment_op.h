#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_AUGMENT_OP_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_AUGMENT_OP_H_

#include <opencv2/core.hpp>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// One operation of RandAugment. Pictures are CV_8UC3, RGB, continuous, and keep their size. A new
// operation: a function, and a line in the table.
struct AugmentOp {
  absl::string_view name;
  // `strength`: 0 leaves the picture nearly as it is, 1 is the paper's strongest, up to 3. What is
  // random, such as the direction, is drawn from `rng`; the same draws give the same bytes.
  void (*apply)(double strength, CounterRng* rng, cv::Mat* picture);
};

absl::Span<const AugmentOp> AugmentOpTable();

// Null if there is none of this name.
const AugmentOp* FindAugmentOp(absl::string_view name);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_AUGMENT_OP_H_
