#ifndef QUANTRY_WORKER_TRAINER_STEPS_STEPS_H_
#define QUANTRY_WORKER_TRAINER_STEPS_STEPS_H_

#include "absl/status/status.h"
#include "worker/trainer/modes/mode.h"
#include "worker/trainer/run_state.h"

namespace quantry::trainer {

// The steps that modes are made of, by file.

// load.cc: opens data and model; where the mode trains, finds the checkpoint to go on from.
absl::Status Load(RunState& state);

// evaluate.cc: metrics of all evaluation data.
absl::Status EvaluateFloat(RunState& state);
absl::Status EvaluateFakeQuant(RunState& state);
// The model as it was given: "artifact" if it is in QDQ form, else "float".
absl::Status EvaluateGiven(RunState& state);
// `look` sees each batch.
absl::StatusOr<engine::ClassificationMetrics> Evaluate(RunState& state, const engine::Graph& graph,
                                                       v1::Phase phase, absl::string_view subject,
                                                       const engine::EvaluationObserver& look);

// quantize.cc: FakeQuantize nodes in state.model, their start values, and what became of them.
absl::Status Quantize(RunState& state);
absl::Status Calibrate(RunState& state);  // nothing, when going on from a checkpoint
absl::Status DescribeQuantization(RunState& state);

// train.cc
absl::Status Train(RunState& state);

// save_checkpoint.cc
absl::Status SaveCheckpoint(RunState& state, engine::Checkpoint checkpoint);
absl::Status KeepCalibration(RunState& state);  // a checkpoint of a model that is not trained

// export.cc: model files, and the proof that the written one computes the same.
absl::Status ExportFloat(RunState& state);
absl::Status ExportQuantized(RunState& state);
absl::Status VerifyArtifact(RunState& state);

// write_report.cc
absl::Status WriteReport(RunState& state);

inline constexpr StepDef kLoad{"loading", "LOADING_FAILED", Load};
inline constexpr StepDef kEvaluateFloat{"evaluating", "EVALUATION_FAILED", EvaluateFloat};
inline constexpr StepDef kEvaluateFakeQuant{"evaluating", "EVALUATION_FAILED", EvaluateFakeQuant};
inline constexpr StepDef kEvaluateGiven{"evaluating", "EVALUATION_FAILED", EvaluateGiven};
inline constexpr StepDef kQuantize{"quantizing", "QUANT_CONFIG_INVALID", Quantize};
inline constexpr StepDef kCalibrate{"calibrating", "CALIBRATION_FAILED", Calibrate};
inline constexpr StepDef kKeepCalibration{"calibrating", "CALIBRATION_FAILED", KeepCalibration};
inline constexpr StepDef kDescribeQuantization{"evaluating", "EVALUATION_FAILED",
                                               DescribeQuantization};
inline constexpr StepDef kTrain{"training", "TRAINING_FAILED", Train};
inline constexpr StepDef kExportFloat{"exporting", "EXPORT_FAILED", ExportFloat};
inline constexpr StepDef kExportQuantized{"exporting", "EXPORT_FAILED", ExportQuantized};
inline constexpr StepDef kVerifyArtifact{"verifying", "ARTIFACT_INVALID", VerifyArtifact};
inline constexpr StepDef kWriteReport{"report", "EXPORT_FAILED", WriteReport};

// Files of the output folder that several steps know.
inline constexpr char kCheckpointFile[] = "checkpoint.qckpt";
inline constexpr char kModelFile[] = "model.onnx";
inline constexpr char kFloatModelFile[] = "model.float.onnx";
inline constexpr char kScriptFile[] = "model.pt";
inline constexpr char kScalesFile[] = "scales.json";

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_STEPS_STEPS_H_
