#include "worker/trainer/modes/modes.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

const ModeDef& MixedPrecisionMode() {
  static constexpr StepDef kSteps[] = {
      kPrepareSensitivity, kEvaluateFloat, kMeasureSensitivity, kChooseBits,           kQuantize,
      kCalibrate,          kTrain,         kEvaluateFakeQuant,  kDescribeQuantization, kExportFloat,
      kExportQuantized,    kVerifyArtifact};
  static constexpr ModeDef kMode{.mode = RunMode::kMixedPrecision,
                                 .name = "mixed_precision",
                                 .quantizes = true,
                                 .trains = true,
                                 .parallel = true,
                                 .resumes = true,
                                 .evaluations = 3,
                                 .steps = kSteps};
  return kMode;
}

}  // namespace quantry::trainer
