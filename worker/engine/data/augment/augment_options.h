#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_AUGMENT_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_AUGMENT_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace quantry::engine {

// How training pictures are varied, beyond random_crop and random_flip. Everything is off at first.
struct AugmentOptions {
  // A part of this share of the area or more, of aspect ratio 3/4 to 4/3, is resized to the input
  // size instead of cropping (Szegedy et al., "Going Deeper with Convolutions", 2014). (0, 1].
  std::optional<double> resized_crop_min_area;

  // Colour jitter: factors from [1 - x, 1 + x], x in [0, 1]; hue: up to x of a turn, [0, 0.5].
  double brightness = 0.0;
  double contrast = 0.0;
  double saturation = 0.0;
  double hue = 0.0;

  // RandAugment (Cubuk et al., 2019): operations per picture, [0, 16]; strength, [0, 30]; names of
  // AugmentOpTable() to draw from, empty: all.
  int rand_augment_ops = 0;
  int rand_augment_magnitude = 9;
  std::vector<std::string> rand_augment_policy;

  // Probability that a rectangle is replaced by the mean colour (Zhong et al., "Random Erasing Data
  // Augmentation", 2017). [0, 1].
  double random_erasing = 0.0;

  bool changes_colours() const {
    return brightness > 0 || contrast > 0 || saturation > 0 || hue > 0 || rand_augment_ops > 0;
  }

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_AUGMENT_OPTIONS_H_
