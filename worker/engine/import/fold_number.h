#ifndef QUANTRY_WORKER_ENGINE_IMPORT_FOLD_NUMBER_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_FOLD_NUMBER_H_

#include <cstdint>
#include <filesystem>
#include <optional>

#include "worker/engine/import/known_numbers.h"

namespace quantry::engine {

// Finds constants by importing the small graph, which folds them. `folder`: where external data may
// lie; absent: nowhere. What it returns throws what LibTorch throws.
ConstantFinder FoldNumbers(int64_t opset, std::optional<std::filesystem::path> folder);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_FOLD_NUMBER_H_
