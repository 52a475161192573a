#ifndef QUANTRY_WORKER_ENGINE_DATA_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_DATASET_H_

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/engine/data/target.h"

namespace quantry::engine {

// One picture: 8 bits per channel, RGB, rows from the top, channels last, no padding.
struct Picture {
  int width = 0;             // pixels, >= 1
  int height = 0;            // pixels, >= 1
  std::vector<uint8_t> rgb;  // height * width * 3
  int64_t label = 0;         // TargetKind::kClass: index into Dataset::class_names(); else 0
};

// One input of every example of a dataset of arrays.
struct ArraySpec {
  std::string name;
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::vector<int64_t> shape;  // of one example: without the batch's axis
};

// A finite set of examples with random access: pictures, or arrays of any shapes. Thread-safe:
// every method may be called from any number of threads. The same index gives the same example for
// the life of the object.
class Dataset {
 public:
  virtual ~Dataset() = default;

  // Number of examples, >= 1.
  virtual int64_t size() const = 0;

  // What people call the example at `index`: "CLASS/file.jpg", "glyph train 17".
  virtual std::string Name(int64_t index) const = 0;

  virtual TargetKind target_kind() const { return TargetKind::kClass; }

  // Names by label of the classes, at least two; of the labels or values, at least one; kNone:
  // none.
  virtual const std::vector<std::string>& class_names() const = 0;

  // kClass: the label of the example, without decoding; else 0.
  virtual int64_t Label(int64_t index) const = 0;

  // kMultiLabel, kValues: a number for each of class_names(); else none. Valid as long as the
  // dataset is.
  virtual absl::Span<const float> Targets(int64_t index) const;

  // What examples are made of; empty: pictures.
  virtual absl::Span<const ArraySpec> arrays() const { return {}; }

  // Arrays only: copies those of the example at `index` to rows[k], which have room for arrays()[k]
  // each, row-major. Errors as for Get.
  virtual absl::Status ReadArrays(int64_t index, absl::Span<char* const> rows) const;

  // Pictures only: the picture at `index`, in [0, size()). DATA_LOSS: this picture is corrupt or
  // too large, others may be fine. Any other error: the source itself fails. Messages name the
  // picture.
  virtual absl::StatusOr<Picture> Get(int64_t index) const = 0;

  // Pictures only: height = width of every picture in pixels, where all have the same.
  virtual std::optional<int> native_size() const = 0;

  // Whether a mirrored picture still shows what it is labelled with; the default of random_flip.
  virtual bool mirrors_well() const = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_DATASET_H_
