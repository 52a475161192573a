#include "worker/trainer/modes/modes.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

const ModeDef& PtqMode() {
  static constexpr StepDef kSteps[] = {kEvaluateFloat,   kEqualize,          kQuantize,
                                       kCalibrate,       kAdaptRounding,     kCorrectBiases,
                                       kKeepCalibration, kEvaluateFakeQuant, kDescribeQuantization,
                                       kExportFloat,     kExportQuantized,   kVerifyArtifact};
  static constexpr ModeDef kMode{
      .mode = RunMode::kPtq, .name = "ptq", .quantizes = true, .evaluations = 3, .steps = kSteps};
  return kMode;
}

}  // namespace quantry::trainer
