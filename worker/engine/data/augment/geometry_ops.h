#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_GEOMETRY_OPS_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_GEOMETRY_OPS_H_

#include <opencv2/core.hpp>

#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// Operations that move pixels, either way at random; as AugmentOp::apply. Values between pixels are
// interpolated, what comes from outside is middle grey. s is the strength.

void Rotate(double s, CounterRng* rng, cv::Mat* picture);      // 30 s degrees about the middle
void ShearX(double s, CounterRng* rng, cv::Mat* picture);      // 0.3 s pixels to the side per row
void ShearY(double s, CounterRng* rng, cv::Mat* picture);      // the same per column
void TranslateX(double s, CounterRng* rng, cv::Mat* picture);  // 0.3 s of the width, at most 0.9
void TranslateY(double s, CounterRng* rng, cv::Mat* picture);  // 0.3 s of the height, at most 0.9

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_GEOMETRY_OPS_H_
