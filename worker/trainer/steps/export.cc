#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/trainer/artifacts.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

constexpr char kSamplesFile[] = "verification.npy";

}  // namespace

absl::Status ExportFloat(RunState& state) {
  state.progress.Begin(v1::PHASE_EXPORTING, "", 0);
  QUANTRY_RETURN_IF_ERROR(WriteFloatModel(state.FloatGraph(), state.output / kFloatModelFile));
  QUANTRY_RETURN_IF_ERROR(state.AnnounceArtifact(kFloatModelFile));
  state.record.result.set_float_model_size_bytes(state.record.bytes[kFloatModelFile]);
  return absl::OkStatus();
}

absl::Status ExportQuantized(RunState& state) {
  QUANTRY_RETURN_IF_ERROR(WriteQuantizedModel(
      state.model, engine::QdqOptionsOf(state.options.quant), state.output / kModelFile));
  QUANTRY_RETURN_IF_ERROR(state.AnnounceArtifact(kModelFile));
  state.record.result.set_model_size_bytes(state.record.bytes[kModelFile]);
  return absl::OkStatus();
}

absl::Status VerifyArtifact(RunState& state) {
  const char* name = state.mode.quantizes ? kModelFile : kFloatModelFile;
  const absl::StatusOr<engine::Graph> artifact = engine::ImportOnnxFile(state.output / name);
  if (!artifact.ok()) {
    // Our own file, so nobody else's fault.
    return absl::InternalError(
        absl::StrCat(name, " can't be read back: ", artifact.status().message()));
  }
  QUANTRY_ASSIGN_OR_RETURN(
      const engine::ClassificationMetrics metrics,
      Evaluate(state, *artifact, v1::PHASE_VERIFYING, "artifact", state.check.Compare()));
  state.record.result.set_artifact_top1(metrics.top1());
  state.record.result.set_max_output_difference(state.check.max_difference());
  QUANTRY_RETURN_IF_ERROR(state.check.WriteSamples(state.output / kSamplesFile));
  return state.AnnounceArtifact(kSamplesFile);
}

}  // namespace quantry::trainer
