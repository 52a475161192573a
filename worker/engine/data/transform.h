#ifndef QUANTRY_WORKER_ENGINE_DATA_TRANSFORM_H_
#define QUANTRY_WORKER_ENGINE_DATA_TRANSFORM_H_

#include <array>

#include "absl/status/status.h"
#include "worker/engine/data/augment/rand_augment.h"
#include "worker/engine/data/counter_rng.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/loader_options.h"

namespace quantry::engine {

// Which part of a picture the network sees. All in pixels; S = LoaderOptions::image_size.
struct Crop {
  int resized_width;  // the whole picture is brought to this size,
  int resized_height;
  int x;      // then the S x S window whose left column this is is taken; it may reach beyond the
  int y;      // picture by up to S / 8, where the picture is mirrored at its edge,
  bool flip;  // and mirrored left to right
};

// A picture that is S x S already is not resized: its window is the picture, or for random_crop one
// moved by up to S / 8 either way. Another is resized so that its shorter side is round(S * 8 / 7)
// (256 for 224), and the window is the middle one, or for random_crop any one inside. Takes from
// `rng` only if random_crop or random_flip is set.
Crop PlanCrop(int width, int height, const LoaderOptions& options, CounterRng* rng);

// From pictures to the network's input. Thread-safe.
class Transform {
 public:
  // `options` must be valid.
  explicit Transform(const LoaderOptions& options);

  // Writes the crop, normalised ((x / 255 - mean) / std), to `output`: S * S * 3 floats, rows from
  // the top, channels last. INTERNAL if the picture can't be resized.
  absl::Status Apply(const Picture& picture, const Crop& crop, float* output) const;

  // All that the options ask for, what is random drawn from `rng`: the part of the picture
  // (AugmentOptions::resized_crop_min_area, or PlanCrop) and whether it is mirrored; then
  // RandAugment, colour jitter, normalising, random erasing. Output and errors as for Apply.
  absl::Status ApplyRandomly(const Picture& picture, CounterRng* rng, float* output) const;

 private:
  void Write(const uint8_t* rgb, int width, int height, const Crop& crop, float* output) const;
  void Augment(const Picture& picture, CounterRng* rng, float* output) const;
  cv::Mat Window(const Picture& picture, CounterRng* rng) const;

  const LoaderOptions options_;
  const RandAugment rand_augment_;
  int size_;
  std::array<std::array<float, 256>, 3> normalised_;  // by channel and value
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_TRANSFORM_H_
