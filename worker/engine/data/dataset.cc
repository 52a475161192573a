#include "worker/engine/data/dataset.h"

#include "absl/strings/str_cat.h"

namespace quantry::engine {

absl::Span<const float> Dataset::Targets(int64_t) const { return {}; }

absl::Status Dataset::ReadArrays(int64_t index, absl::Span<char* const>) const {
  return absl::InternalError(absl::StrCat(Name(index), " is a picture, not arrays"));
}

}  // namespace quantry::engine
