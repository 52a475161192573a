#include "worker/trainer/modes/modes.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

const ModeDef& SensitivityMode() {
  static constexpr StepDef kSteps[] = {kPrepareSensitivity, kEvaluateFloat, kMeasureSensitivity};
  static constexpr ModeDef kMode{.mode = RunMode::kSensitivity,
                                 .name = "sensitivity",
                                 .quantizes = true,
                                 .resumes = true,
                                 .makes_model = false,
                                 .evaluations = 1,
                                 .steps = kSteps};
  return kMode;
}

}  // namespace quantry::trainer
