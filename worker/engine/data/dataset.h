#ifndef QUANTRY_WORKER_ENGINE_DATA_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_DATASET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quantry::engine {

// One labelled picture: 8 bits per channel, RGB, rows from the top, channels last, no padding.
struct Picture {
  int width = 0;             // pixels, >= 1
  int height = 0;            // pixels, >= 1
  std::vector<uint8_t> rgb;  // height * width * 3
  int64_t label = 0;         // index into Dataset::class_names()
};

// A finite set of labelled pictures with random access. Thread-safe: every method may be called
// from any number of threads. The same index gives the same pixels for the life of the object.
class Dataset {
 public:
  virtual ~Dataset() = default;

  // Number of pictures, >= 1.
  virtual int64_t size() const = 0;

  // Names by label; at least two.
  virtual const std::vector<std::string>& class_names() const = 0;

  // Height = width of every picture in pixels, where all have the same; absent for folders.
  virtual std::optional<int> native_size() const = 0;

  // Whether a mirrored picture still shows its class; the default of the option random_flip.
  virtual bool mirrors_well() const = 0;

  // The picture at `index`, in [0, size()). DATA_LOSS: this picture is corrupt or too large, others
  // may be fine. Any other error: the source itself fails. Messages name the picture.
  virtual absl::StatusOr<Picture> Get(int64_t index) const = 0;

  // The label alone, without decoding.
  virtual int64_t Label(int64_t index) const = 0;

  // What people call the picture at `index`: "CLASS/file.jpg", "glyph train 17".
  virtual std::string Name(int64_t index) const = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_DATASET_H_
