#ifndef QUANTRY_WORKER_ENGINE_DATA_PICTURE_HEADER_H_
#define QUANTRY_WORKER_ENGINE_DATA_PICTURE_HEADER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

struct PictureSize {
  int64_t width;   // pixels
  int64_t height;  // pixels
};

// The size that a JPEG or PNG file says it has, without decoding it. DATA_LOSS: neither of the two,
// or the end of the file is missing (JPEG: no EOI marker after the scan; PNG: no IEND chunk), which
// decoders would fill with grey. Formats: ITU-T T.81 annex B; ISO/IEC 15948 chapter 5.
absl::StatusOr<PictureSize> ReadPictureSize(absl::string_view file);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_PICTURE_HEADER_H_
