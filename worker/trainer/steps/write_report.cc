#include "common/files.h"
#include "common/status_macros.h"
#include "worker/trainer/html/report_page.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

constexpr char kReportFile[] = "report.json";
constexpr char kReportPageFile[] = "report.html";

}  // namespace

absl::Status WriteReport(RunState& state) {
  state.record.corrupt_pictures =
      state.inputs.train->num_corrupt() + state.inputs.eval->num_corrupt();
  for (const engine::Loader* loader : {state.inputs.train.get(), state.inputs.eval.get()}) {
    const std::vector<std::string> names = loader->CorruptPictures();
    state.record.corrupt_names.insert(state.record.corrupt_names.end(), names.begin(), names.end());
  }
  if (state.mode.makes_model) QUANTRY_RETURN_IF_ERROR(state.AnnounceArtifact(kCheckpointFile));
  const std::string report = MakeReport(state.record);
  QUANTRY_RETURN_IF_ERROR(WriteFileAtomically(state.output / kReportFile, report));
  QUANTRY_RETURN_IF_ERROR(state.AnnounceArtifact(kReportFile));
  QUANTRY_RETURN_IF_ERROR(WriteFileAtomically(state.output / kReportPageFile,
                                              ReportPage(nlohmann::json::parse(report))));
  return state.AnnounceArtifact(kReportPageFile);
}

}  // namespace quantry::trainer
