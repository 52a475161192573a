#ifndef QUANTRY_WORKER_TRAINER_MODES_MODES_H_
#define QUANTRY_WORKER_TRAINER_MODES_MODES_H_

#include "worker/trainer/modes/mode.h"

namespace quantry::trainer {

// The lines of ModeTable(). What each mode does for users: docs/modes.md.
const ModeDef& FloatMode();
const ModeDef& PtqMode();
const ModeDef& QatMode();
const ModeDef& EvaluateMode();
const ModeDef& SensitivityMode();
const ModeDef& MixedPrecisionMode();

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_MODES_MODES_H_
