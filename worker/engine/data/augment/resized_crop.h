#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RESIZED_CROP_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RESIZED_CROP_H_

#include <opencv2/core.hpp>

#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// A random rectangle inside a picture of width x height pixels: its area is at least `min_area` of
// the picture's, uniform; its aspect ratio between 3/4 and 4/3, uniform in the logarithm; its place
// uniform. After ten draws that don't fit: the largest middle part within these ratios.
cv::Rect DrawResizedCrop(int width, int height, double min_area, CounterRng* rng);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RESIZED_CROP_H_
