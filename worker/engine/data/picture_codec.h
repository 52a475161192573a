#ifndef QUANTRY_WORKER_ENGINE_DATA_PICTURE_CODEC_H_
#define QUANTRY_WORKER_ENGINE_DATA_PICTURE_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/dataset.h"

namespace quantry::engine {

// A JPEG or PNG file as RGB, 8 bits; transparency is dropped, the orientation tag is not applied
// (as torchvision reads pictures). DATA_LOSS: not such a file, damaged, cut short, more than 100
// megapixels, or more than 32 times as long as wide; sizes are checked before anything is decoded.
// Thread-safe.
absl::StatusOr<Picture> DecodePicture(absl::string_view file, int64_t label);

// `picture` as a PNG file, losslessly.
absl::StatusOr<std::string> EncodePng(const Picture& picture);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_PICTURE_CODEC_H_
