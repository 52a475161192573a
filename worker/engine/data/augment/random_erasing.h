#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RANDOM_ERASING_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RANDOM_ERASING_H_

#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// With `probability` sets a random rectangle of `pixels` (size x size x 3 floats, normalised, so
// that 0 is the mean colour) to 0: 2 to 33 % of the area, aspect ratio 0.3 to 3.3, as in "Random
// Erasing Data Augmentation" (Zhong et al., 2017).
void EraseRandomly(double probability, int size, CounterRng* rng, float* pixels);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_RANDOM_ERASING_H_
