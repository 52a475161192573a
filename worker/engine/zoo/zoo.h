#ifndef QUANTRY_WORKER_ENGINE_ZOO_ZOO_H_
#define QUANTRY_WORKER_ENGINE_ZOO_ZOO_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Options of a built-in network.
struct ZooOptions {
  int64_t num_classes = 1000;  // >= 2
  double width = 1.0;        // channel multiplier in (0, 4], rounded to multiples of 8 as published
  int64_t image_size = 224;  // height = width of the input, in pixels; >= 8
  uint64_t seed = 0;         // of the random weights
};

// Builds `name`, one of ZooModelNames(), as torchvision defines it (mobilenet_v1: as its paper
// does): input "input" float32 [?, 3, S, S], output "logits" [?, num_classes], BatchNorm kept,
// initialised as published. INVALID_ARGUMENT names an unknown network and lists the known ones.
absl::StatusOr<Graph> BuildZooModel(absl::string_view name, const ZooOptions& options);

absl::Span<const absl::string_view> ZooModelNames();

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_ZOO_ZOO_H_
