#ifndef QUANTRY_WORKER_TRAINER_PIPELINE_H_
#define QUANTRY_WORKER_TRAINER_PIPELINE_H_

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "worker/engine/evaluate/evaluate_model.h"
#include "worker/engine/train/training_loop.h"
#include "worker/trainer/artifact_check.h"
#include "worker/trainer/event_sink.h"
#include "worker/trainer/load_inputs.h"
#include "worker/trainer/progress.h"
#include "worker/trainer/report.h"
#include "worker/trainer/run_options.h"

namespace quantry::trainer {

// One run from options to artifacts: load, evaluate the float model, quantize, calibrate, train,
// evaluate, export, read back and evaluate, report. What is done depends on the mode. Used once;
// not thread-safe.
class Pipeline {
 public:
  // `sink` and `clock` must outlive the pipeline. `interrupted` is asked after every batch.
  Pipeline(RunOptions options, std::filesystem::path output, EventSink& sink, const Clock& clock,
           std::function<bool()> interrupted);

  // Leaves model.onnx (not with kFloat), model.float.onnx, verification.npy, report.json and
  // checkpoint.qckpt in the output folder, announces each, and returns the result. Errors carry a
  // reason (failure.h). CANCELLED: interrupted; with training under way a checkpoint was written,
  // from which the same run with the same output folder goes on.
  absl::StatusOr<v1::Result> Run();

 private:
  using Step = absl::Status (Pipeline::*)();
  // Runs one step, notes the time it took under `name`, and gives its errors the reason.
  absl::Status Do(absl::string_view name, absl::string_view reason, Step step);

  absl::Status RunFloat();
  absl::Status RunQuantized();

  absl::Status Load();
  absl::Status EvaluateFloat();
  absl::Status Quantize();
  absl::Status CalibrateUnlessResumed();
  absl::Status Train();
  absl::Status EvaluateFakeQuant();
  absl::Status DescribeQuantization();
  absl::Status ExportFloat();
  absl::Status ExportQuantized();
  absl::Status VerifyArtifact();
  absl::Status WriteReport();

  absl::Status FindCheckpoint();
  absl::Status SaveCheckpoint(engine::Checkpoint checkpoint);
  engine::TrainingCallbacks MakeTrainingCallbacks();
  // Top-1 of model_ as it is.
  absl::StatusOr<double> EvaluateWhileTraining(int64_t steps_done);
  absl::Status OnTrainedStep(const engine::TrainedStep& step);
  // `look` sees each batch.
  absl::StatusOr<engine::ClassificationMetrics> Evaluate(const engine::Graph& graph,
                                                         v1::Phase phase, absl::string_view subject,
                                                         const engine::EvaluationObserver& look);
  void SendMetrics(absl::string_view subject, int64_t epoch, int64_t step,
                   const engine::ClassificationMetrics& metrics, double seconds);
  absl::Status AnnounceArtifact(const std::string& name);
  absl::Status CheckInterrupted() const;

  RunOptions options_;
  const std::filesystem::path output_;
  EventSink& sink_;
  const Clock& clock_;
  const std::function<bool()> interrupted_;
  ProgressReporter progress_;

  RunInputs inputs_;     // inputs_.model stays the float model with kPtq and kQat
  engine::Graph model_;  // what is trained and quantized
  std::map<std::string, std::string> identity_;
  std::optional<engine::Checkpoint> resume_from_;
  ArtifactCheck check_;
  int64_t steps_trained_ = 0;
  absl::Duration epoch_start_;
  RunRecord record_;
};

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_PIPELINE_H_
