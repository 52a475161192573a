#ifndef QUANTRY_WORKER_TRAINER_PIPELINE_H_
#define QUANTRY_WORKER_TRAINER_PIPELINE_H_

#include <filesystem>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "worker/trainer/event_sink.h"
#include "worker/trainer/modes/mode.h"
#include "worker/trainer/run_options.h"
#include "worker/trainer/run_state.h"

namespace quantry::trainer {

// One run from options to artifacts: loads, does the steps of its mode (modes/), and reports. Used
// once; not thread-safe.
class Pipeline {
 public:
  // `sink` and `clock` must outlive the pipeline. `interrupted` is asked after every batch.
  Pipeline(RunOptions options, std::filesystem::path output, EventSink& sink, const Clock& clock,
           std::function<bool()> interrupted);

  // Leaves what the mode makes in the output folder, announces each file, and returns the result:
  // report.json always; model.onnx, scales.json and model.pt where the mode quantizes; model.float.onnx, verification.npy and
  // checkpoint.qckpt where it makes a model. Errors carry a reason (failure.h). CANCELLED:
  // interrupted; with training under way a checkpoint was written, from which the same run with the
  // same output folder goes on.
  absl::StatusOr<v1::Result> Run();

 private:
  // Runs one step, notes the time it took under its name, and gives its errors the reason.
  absl::Status Do(const StepDef& step);

  RunState state_;
};

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_PIPELINE_H_
