#include "worker/engine/data/augment/augment_options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"
#include "worker/engine/data/augment/augment_op.h"

namespace quantry::engine {
namespace {

// Written so that NaN is refused too.
absl::Status CheckRange(absl::string_view field, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("augmentation.", field, " is ", value, "; allowed: ", low, " to ", high));
}

absl::Status CheckPolicy(const std::vector<std::string>& policy) {
  std::vector<absl::string_view> names;
  for (const AugmentOp& op : AugmentOpTable()) names.push_back(op.name);
  for (const std::string& name : policy) {
    if (FindAugmentOp(name) != nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat("augmentation.rand_augment_policy names '", name,
                                                   "'", DidYouMean(name, names),
                                                   "; allowed: ", absl::StrJoin(names, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AugmentOptions::Validate() const {
  if (resized_crop_min_area && !(*resized_crop_min_area > 0 && *resized_crop_min_area <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("augmentation.resized_crop_min_area is ",
                                                   *resized_crop_min_area,
                                                   "; allowed: above 0, up to 1"));
  }
  QUANTRY_RETURN_IF_ERROR(CheckRange("brightness", brightness, 0, 1));
  QUANTRY_RETURN_IF_ERROR(CheckRange("contrast", contrast, 0, 1));
  QUANTRY_RETURN_IF_ERROR(CheckRange("saturation", saturation, 0, 1));
  QUANTRY_RETURN_IF_ERROR(CheckRange("hue", hue, 0, 0.5));
  QUANTRY_RETURN_IF_ERROR(CheckRange("rand_augment_ops", rand_augment_ops, 0, 16));
  QUANTRY_RETURN_IF_ERROR(CheckRange("rand_augment_magnitude", rand_augment_magnitude, 0, 30));
  QUANTRY_RETURN_IF_ERROR(CheckRange("random_erasing", random_erasing, 0, 1));
  QUANTRY_RETURN_IF_ERROR(CheckPolicy(rand_augment_policy));
  if (rand_augment_ops > 0 || rand_augment_policy.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "augmentation.rand_augment_policy has no effect without rand_augment_ops; set that too");
}

}  // namespace quantry::engine
