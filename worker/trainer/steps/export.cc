#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/script_export/write_script.h"
#include "worker/trainer/artifacts.h"
#include "worker/trainer/scales_file.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

constexpr char kSamplesFile[] = "verification.npy";

// The fake-quantized model as TorchScript, beside the model for the runtime. An operator that it
// has no form for is no reason to fail.
absl::Status ExportScript(RunState& state) {
  const absl::Status status = engine::WriteScriptFile(state.model, state.output / kScriptFile);
  if (absl::IsUnimplemented(status)) {
    SendLog(state.sink, v1::LogLine::WARNING,
            absl::StrCat("no ", kScriptFile, " was written: ", status.message()));
    return absl::OkStatus();
  }
  QUANTRY_RETURN_IF_ERROR(status);
  return state.AnnounceArtifact(kScriptFile);
}

// More than a picture or the allowed share of them got another answer. Where few steps decide, as
// with 4 bits, single values next to the middle of two integers can do that
// (docs/architecture.md).
void WarnOfDifference(RunState& state, int64_t examples) {
  const v1::Result& result = state.record.result;
  if (!result.has_fake_quant_top1()) return;
  const double difference = Top1Difference(result);
  const double one_picture = 1.0 / static_cast<double>(std::max<int64_t>(1, examples));
  if (std::abs(difference) <= std::max(kAllowedTop1Difference, 1.5 * one_picture)) return;
  SendLog(state.sink, v1::LogLine::WARNING,
          absl::StrFormat("top-1 of %s is %.4f, of the model before export %.4f: they differ by "
                          "%.2f points, of which 0.1 are expected",
                          kModelFile, result.artifact_top1(), result.fake_quant_top1(),
                          100 * difference));
}

}  // namespace

absl::Status ExportFloat(RunState& state) {
  state.progress.Begin(v1::PHASE_EXPORTING, "", 0);
  QUANTRY_RETURN_IF_ERROR(WriteFloatModel(state.FloatGraph(), state.output / kFloatModelFile));
  QUANTRY_RETURN_IF_ERROR(state.AnnounceArtifact(kFloatModelFile));
  state.record.result.set_float_model_size_bytes(state.record.bytes[kFloatModelFile]);
  return absl::OkStatus();
}

absl::Status ExportQuantized(RunState& state) {
  const engine::QdqOptions options = engine::QdqOptionsOf(state.options.quant);
  QUANTRY_RETURN_IF_ERROR(WriteQuantizedModel(state.model, options, state.output / kModelFile));
  QUANTRY_RETURN_IF_ERROR(state.AnnounceArtifact(kModelFile));
  state.record.result.set_model_size_bytes(state.record.bytes[kModelFile]);
  QUANTRY_ASSIGN_OR_RETURN(const std::string scales, MakeScalesFile(state.model, options));
  QUANTRY_RETURN_IF_ERROR(WriteFileAtomically(state.output / kScalesFile, scales));
  QUANTRY_RETURN_IF_ERROR(state.AnnounceArtifact(kScalesFile));
  return ExportScript(state);
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
      const engine::TaskMetrics metrics,
      Evaluate(state, *artifact, v1::PHASE_VERIFYING, "artifact", state.check.Compare()));
  if (metrics.kind() == engine::TargetKind::kClass) {
    state.record.result.set_artifact_top1(metrics.top1());
  }
  state.record.result.set_max_output_difference(state.check.max_difference());
  WarnOfDifference(state, metrics.examples());
  QUANTRY_RETURN_IF_ERROR(state.check.WriteSamples(state.output / kSamplesFile));
  return state.AnnounceArtifact(kSamplesFile);
}

}  // namespace quantry::trainer
