#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_COLOUR_JITTER_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_COLOUR_JITTER_H_

#include <opencv2/core.hpp>

#include "worker/engine/data/augment/augment_options.h"
#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// Changes brightness, contrast, saturation and hue, those whose option is above 0, in random order
// by factors from [1 - x, 1 + x]. `picture` is CV_8UC3, RGB, continuous. Thread-safe.
void JitterColours(const AugmentOptions& options, CounterRng* rng, cv::Mat* picture);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_COLOUR_JITTER_H_
