#include "worker/trainer/modes/modes.h"

namespace quantry::trainer {

absl::Span<const ModeDef* const> ModeTable() {
  static const ModeDef* const kModes[] = {
      &FloatMode(),
      &PtqMode(),
      &QatMode(),
      &EvaluateMode(),
  };
  return kModes;
}

const ModeDef& ModeOf(RunMode mode) {
  const ModeDef* found = ModeTable().front();
  for (const ModeDef* def : ModeTable()) {
    if (def->mode == mode) found = def;
  }
  return *found;
}

}  // namespace quantry::trainer
