#include "worker/trainer/modes/modes.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

const ModeDef& FloatMode() {
  static constexpr StepDef kSteps[] = {kTrain, kEvaluateFloat, kExportFloat, kVerifyArtifact};
  static constexpr ModeDef kMode{.mode = RunMode::kFloat,
                                 .name = "float",
                                 .trains = true,
                                 .parallel = true,
                                 .resumes = true,
                                 .evaluations = 2,
                                 .steps = kSteps};
  return kMode;
}

}  // namespace quantry::trainer
