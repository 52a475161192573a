#ifndef QUANTRY_WORKER_ENGINE_DATA_LOADER_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_DATA_LOADER_OPTIONS_H_

#include <c10/core/ScalarType.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "worker/engine/data/augment/augment_options.h"

namespace quantry::engine {

// An array of a dataset as an input of the network.
struct ArrayInput {
  size_t array = 0;                                // place in Dataset::arrays()
  c10::ScalarType dtype = c10::ScalarType::Float;  // that the network takes
};

struct LoaderOptions {
  int64_t batch_size = 64;  // examples, >= 1
  int image_size = 224;     // height = width of the tensor in pixels, [8, 1024]

  // Per-channel (RGB) normalisation (x / 255 - mean) / std; std > 0. Default: ImageNet's.
  std::array<double, 3> mean = {0.485, 0.456, 0.406};
  std::array<double, 3> std = {0.229, 0.224, 0.225};

  bool random_crop = false;  // crop at a random place, else the centre; see transform.h
  bool random_flip = false;  // mirror left to right with probability 1/2
  AugmentOptions augment;    // of pictures, beyond that
  bool shuffle = false;      // a new order each epoch, else by index

  uint64_t seed = 0;       // of the order, the augmentation and the choice of max_examples
  int decode_threads = 1;  // [1, 64]
  int prefetch = 3;        // batches decoded ahead of use, [1, 64]; bounds the memory
  bool drop_last = false;  // leave out a last batch that is smaller than batch_size

  // Datasets of arrays: what Batch::inputs holds, in order. Empty: all of Dataset::arrays().
  std::vector<ArrayInput> arrays;

  // Use only this many examples, the same ones in every epoch: the first of a shuffle by seed.
  // Absent: all. >= 1.
  std::optional<int64_t> max_examples;

  // Corrupt examples are left out and counted, up to this share of the examples used. [0, 1].
  double max_corrupt_fraction = 0.05;

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_LOADER_OPTIONS_H_
