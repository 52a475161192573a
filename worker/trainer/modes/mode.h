#ifndef QUANTRY_WORKER_TRAINER_MODES_MODE_H_
#define QUANTRY_WORKER_TRAINER_MODES_MODE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/trainer/run_options.h"
#include "worker/trainer/run_state.h"

namespace quantry::trainer {

// One thing that a run does.
struct StepDef {
  absl::string_view name;    // under which its time is reported: "training"
  absl::string_view reason;  // of its errors that have none yet: "TRAINING_FAILED"
  absl::Status (*run)(RunState&) = nullptr;
  // Of several processes that train together, whether all do it; else rank 0 alone.
  bool on_every_rank = false;
};

// What a run does with its model, between loading it and writing the report. The instances are the
// lines of ModeTable(); a new one costs a file here and a line there.
struct ModeDef {
  RunMode mode = RunMode::kFloat;
  absl::string_view name;  // as in settings: "qat"
  bool quantizes = false;  // quant_config has effect
  bool trains = false;     // the training options have effect
  bool parallel = false;   // can be run by several processes together
  bool resumes = false;    // goes on from checkpoints
  // Whether artifacts of a model (model.onnx or model.float.onnx, checkpoint.qckpt) come out.
  bool makes_model = true;
  int64_t evaluations = 0;  // passes over all evaluation data, for the time left
  absl::Span<const StepDef> steps;
};

absl::Span<const ModeDef* const> ModeTable();

// The line of `mode`. Every RunMode has one; ends the program where that was forgotten.
const ModeDef& ModeOf(RunMode mode);

// Null if there is no mode of that number.
const ModeDef* FindMode(int number);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_MODES_MODE_H_
