#ifndef QUANTRY_WORKER_TRAINER_STEPS_STEPS_H_
#define QUANTRY_WORKER_TRAINER_STEPS_STEPS_H_

#include "absl/status/status.h"
#include "worker/engine/passes/annotate.h"
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
absl::StatusOr<engine::TaskMetrics> Evaluate(RunState& state, const engine::Graph& graph,
                                             v1::Phase phase, absl::string_view subject,
                                             const engine::EvaluationObserver& look);
// The model as it would be deployed now (engine/export/deployed_model.h); the model itself in a
// mode that does not quantize.
absl::StatusOr<engine::TaskMetrics> EvaluateDeployed(RunState& state, absl::string_view subject,
                                                     const engine::EvaluationObserver& look);

// How reading `loader` goes, for ProgressReporter.
DataState DataStateOf(const RunState& state, const engine::Loader& loader);

// quantize.cc
engine::PactStart PactStartOf(const RunOptions& options);
// FakeQuantize nodes in state.model, their start values, and what became of them.
absl::Status Quantize(RunState& state);
absl::Status Calibrate(RunState& state);  // nothing, when going on from a checkpoint
absl::Status DescribeQuantization(RunState& state);

// equalize.cc: folds BatchNorm and balances the weights of neighbouring layers, as options.ptq
// says.
absl::Status Equalize(RunState& state);

// adapt_rounding.cc: rounds weights by what their layers make of them, as options.ptq says.
absl::Status AdaptRounding(RunState& state);

// correct_biases.cc: makes up for rounded weights, as options.ptq says.
absl::Status CorrectBiases(RunState& state);

// sensitivity.cc: each layer quantized alone. Going on from a checkpoint that holds measurements,
// only what is missing is measured.
absl::Status PrepareSensitivity(RunState& state);  // makes state.study
absl::Status MeasureSensitivity(RunState& state);  // fills state.sensitivity

// choose_bits.cc: state.choice, which Quantize follows, from state.sensitivity of rank 0.
absl::Status ChooseBits(RunState& state);

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

inline constexpr StepDef kLoad{"loading", "LOADING_FAILED", Load, true};
inline constexpr StepDef kEvaluateFloat{"evaluating", "EVALUATION_FAILED", EvaluateFloat};
inline constexpr StepDef kEvaluateFakeQuant{"evaluating", "EVALUATION_FAILED", EvaluateFakeQuant};
inline constexpr StepDef kEvaluateGiven{"evaluating", "EVALUATION_FAILED", EvaluateGiven};
inline constexpr StepDef kQuantize{"quantizing", "QUANT_CONFIG_INVALID", Quantize, true};
inline constexpr StepDef kCalibrate{"calibrating", "CALIBRATION_FAILED", Calibrate, true};
inline constexpr StepDef kKeepCalibration{"calibrating", "CALIBRATION_FAILED", KeepCalibration};
inline constexpr StepDef kDescribeQuantization{"evaluating", "EVALUATION_FAILED",
                                               DescribeQuantization};
inline constexpr StepDef kEqualize{"equalizing", "EQUALIZATION_FAILED", Equalize};
inline constexpr StepDef kAdaptRounding{"rounding", "CALIBRATION_FAILED", AdaptRounding};
inline constexpr StepDef kCorrectBiases{"correcting", "CALIBRATION_FAILED", CorrectBiases};
inline constexpr StepDef kPrepareSensitivity{"quantizing", "QUANT_CONFIG_INVALID",
                                             PrepareSensitivity};
inline constexpr StepDef kMeasureSensitivity{"measuring", "EVALUATION_FAILED", MeasureSensitivity};
inline constexpr StepDef kChooseBits{"choosing bits", "SPEC_INVALID", ChooseBits, true};
inline constexpr StepDef kTrain{"training", "TRAINING_FAILED", Train, true};
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
