#ifndef QUANTRY_WORKER_TRAINER_LOAD_INPUTS_H_
#define QUANTRY_WORKER_TRAINER_LOAD_INPUTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/evaluate/check_model.h"
#include "worker/engine/graph/graph.h"
#include "worker/trainer/run_options.h"

namespace quantry::trainer {

// What a run works on.
struct RunInputs {
  engine::Graph model;  // float, as it starts
  std::string
      model_identity;  // "sha256:..." of the ONNX file, or the builtin's name, options, weights
  std::vector<std::string> class_names;  // of classes, labels or values
  engine::ModelTask task;
  std::unique_ptr<engine::Loader> train;  // shuffled and augmented
  std::unique_ptr<engine::Loader> eval;   // in order, as it is
};

// What goes on meanwhile.
struct RunWatch {
  std::function<bool()> interrupted;             // asked while data is fetched; null: never
  std::function<void(absl::string_view)> log;  // takes lines for people; null: nobody reads them
};

// Opens the datasets, fetching those that lie elsewhere, builds or reads the model, checks that they fit, and fills in the fields of
// `options` that depend on them: data.image_size, data.random_crop, data.random_flip,
// builtin.num_classes, train.loss.name, train.task_output. Errors carry reason DATASET_INVALID,
// DATASET_UNAVAILABLE (it could not be fetched; it may work later) or MODEL_INVALID.
absl::StatusOr<RunInputs> LoadInputs(RunOptions& options, const RunWatch& watch);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_LOAD_INPUTS_H_
