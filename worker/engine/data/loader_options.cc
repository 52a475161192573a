#include "worker/engine/data/loader_options.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

template <typename T>
absl::Status CheckRange(absl::string_view field, T value, T low, T high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("data option ", field, " is ", value, "; allowed: ", low, " to ", high));
}

constexpr int64_t kMaxBatch = 65536;
constexpr int64_t kMaxExamples = (int64_t{1} << 31) - 1;

}  // namespace

absl::Status LoaderOptions::Validate() const {
  QUANTRY_RETURN_IF_ERROR(CheckRange<int64_t>("batch_size", batch_size, 1, kMaxBatch));
  QUANTRY_RETURN_IF_ERROR(CheckRange("image_size", image_size, 8, 1024));
  QUANTRY_RETURN_IF_ERROR(CheckRange("decode_threads", decode_threads, 1, 64));
  QUANTRY_RETURN_IF_ERROR(CheckRange("prefetch", prefetch, 1, 64));
  QUANTRY_RETURN_IF_ERROR(CheckRange("max_corrupt_fraction", max_corrupt_fraction, 0.0, 1.0));
  QUANTRY_RETURN_IF_ERROR(augment.Validate());
  if (max_examples.has_value()) {
    QUANTRY_RETURN_IF_ERROR(CheckRange<int64_t>("max_examples", *max_examples, 1, kMaxExamples));
  }
  for (int c = 0; c < 3; ++c) {
    if (!std::isfinite(mean[c])) {
      return absl::InvalidArgumentError(
          absl::StrCat("data option mean[", c, "] is ", mean[c], "; allowed: a finite number"));
    }
    if (!std::isfinite(std[c]) || std[c] <= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("data option std[", c, "] is ", std[c], "; allowed: a number above 0"));
    }
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
