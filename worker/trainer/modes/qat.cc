#include "worker/trainer/modes/modes.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

const ModeDef& QatMode() {
  static constexpr StepDef kSteps[] = {kEvaluateFloat, kQuantize,          kCalibrate,
                                       kTrain,         kEvaluateFakeQuant, kDescribeQuantization,
                                       kExportFloat,   kExportQuantized,   kVerifyArtifact};
  static constexpr ModeDef kMode{.mode = RunMode::kQat,
                                 .name = "qat",
                                 .quantizes = true,
                                 .trains = true,
                                 .parallel = true,
                                 .resumes = true,
                                 .evaluations = 3,
                                 .steps = kSteps};
  return kMode;
}

}  // namespace quantry::trainer
