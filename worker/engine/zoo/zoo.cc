#include "worker/engine/zoo/zoo.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/zoo/networks.h"

namespace quantry::engine {
namespace {

// A new network: its file and a line in each of these two.
constexpr std::array<absl::string_view, 7> kNames = {
    "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small",
    "resnet18",     "resnet34",     "resnet50",
};
constexpr std::array<Graph (*)(const ZooOptions&), kNames.size()> kBuilders = {
    BuildMobileNetV1, BuildMobileNetV2, BuildMobileNetV3Large, BuildMobileNetV3Small,
    BuildResNet18,    BuildResNet34,    BuildResNet50,
};

absl::Status Validate(const ZooOptions& options) {
  if (options.num_classes < 2 || options.num_classes > 1000000) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_classes is ", options.num_classes, "; allowed: 2 to 1000000"));
  }
  if (!(options.width > 0.0 && options.width <= 4.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("width is ", options.width, "; allowed: above 0, up to 4"));
  }
  if (options.image_size < 8 || options.image_size > 4096) {
    return absl::InvalidArgumentError(
        absl::StrCat("image_size is ", options.image_size, "; allowed: 8 to 4096"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Graph> BuildZooModel(absl::string_view name, const ZooOptions& options) {
  QUANTRY_RETURN_IF_ERROR(Validate(options));
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return kBuilders[i](options);
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no built-in network '", name,
                                                 "'; allowed: ", absl::StrJoin(kNames, ", ")));
}

absl::Span<const absl::string_view> ZooModelNames() { return kNames; }

}  // namespace quantry::engine
