#ifndef QUANTRY_WORKER_TRAINER_SCALES_FILE_H_
#define QUANTRY_WORKER_TRAINER_SCALES_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "worker/engine/export/qdq_options.h"
#include "worker/engine/graph/graph.h"

namespace quantry::trainer {

// The content of scales.json (docs/serving.md) for a graph with FakeQuantize nodes. Errors as
// engine::ToQdq's.
absl::StatusOr<std::string> MakeScalesFile(const engine::Graph& trained,
                                           const engine::QdqOptions& options);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_SCALES_FILE_H_
