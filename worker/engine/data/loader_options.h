#ifndef QUANTRY_WORKER_ENGINE_DATA_LOADER_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_DATA_LOADER_OPTIONS_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace quantry::engine {

struct LoaderOptions {
  int64_t batch_size = 64;  // pictures, >= 1
  int image_size = 224;     // height = width of the tensor in pixels, [8, 1024]

  // Per-channel (RGB) normalisation (x / 255 - mean) / std; std > 0. Default: ImageNet's.
  std::array<double, 3> mean = {0.485, 0.456, 0.406};
  std::array<double, 3> std = {0.229, 0.224, 0.225};

  bool random_crop = false;  // crop at a random place, else the centre; see transform.h
  bool random_flip = false;  // mirror left to right with probability 1/2
  bool shuffle = false;      // a new order each epoch, else by index

  uint64_t seed = 0;       // of the order, the augmentation and the choice of max_examples
  int decode_threads = 1;  // [1, 64]
  int prefetch = 3;        // batches decoded ahead of use, [1, 64]; bounds the memory
  bool drop_last = false;  // leave out a last batch that is smaller than batch_size

  // Use only this many pictures, the same ones in every epoch: the first of a shuffle by seed.
  // Absent: all. >= 1.
  std::optional<int64_t> max_examples;

  // Corrupt pictures are left out and counted, up to this share of the pictures used. [0, 1].
  double max_corrupt_fraction = 0.05;

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_LOADER_OPTIONS_H_
