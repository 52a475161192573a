#ifndef QUANTRY_WORKER_ENGINE_DATA_ARRAY_TARGETS_H_
#define QUANTRY_WORKER_ENGINE_DATA_ARRAY_TARGETS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/stored_array.h"
#include "worker/engine/data/target.h"

namespace quantry::engine {

// The targets of all examples, read into memory.
struct ArrayTargets {
  TargetKind kind = TargetKind::kNone;
  std::vector<std::string> names;  // as Dataset::class_names()
  std::vector<int64_t> labels;     // kClass: per example
  std::vector<float> values;       // kMultiLabel, kValues: names.size() per example
};

// Reads `array`, of shape [n] or [n, k]. `task`: "classes" (whole numbers from 0, [n] or [n, 1]),
// "labels" (0 and 1), "values", or "auto": classes for whole numbers [n] or [n, 1], labels for bool
// and uint8 [n, k], values for floats. `num_classes`: how many classes there are; absent: one more
// than the largest label. INVALID_ARGUMENT names the array and the first element that does not fit;
// up to 2^28 elements. A value that is not finite is left to Dataset's users.
absl::StatusOr<ArrayTargets> ReadArrayTargets(const StoredArray& array, absl::string_view task,
                                              std::optional<int64_t> num_classes);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_ARRAY_TARGETS_H_
