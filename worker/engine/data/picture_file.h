#ifndef QUANTRY_WORKER_ENGINE_DATA_PICTURE_FILE_H_
#define QUANTRY_WORKER_ENGINE_DATA_PICTURE_FILE_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "worker/engine/data/dataset.h"

namespace quantry::engine {

// The largest encoded picture, in bytes.
inline constexpr int64_t kMaxPictureBytes = int64_t{256} << 20;

// Reads and decodes one JPEG or PNG file; `name` is what messages call it. DATA_LOSS: see
// DecodePicture, or larger than kMaxPictureBytes. Thread-safe.
absl::StatusOr<Picture> ReadPictureFile(const std::filesystem::path& path, const std::string& name,
                                        int64_t label);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_PICTURE_FILE_H_
