#include "worker/trainer/modes/modes.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

const ModeDef& EvaluateMode() {
  static constexpr StepDef kSteps[] = {kEvaluateGiven};
  static constexpr ModeDef kMode{.mode = RunMode::kEvaluate,
                                 .name = "evaluate",
                                 .makes_model = false,
                                 .evaluations = 1,
                                 .steps = kSteps};
  return kMode;
}

}  // namespace quantry::trainer
