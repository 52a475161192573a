#include <cstdio>
#include <cstdlib>

#include "worker/trainer/modes/modes.h"

namespace quantry::trainer {

absl::Span<const ModeDef* const> ModeTable() {
  static const ModeDef* const kModes[] = {
      &FloatMode(),    &PtqMode(),         &QatMode(),
      &EvaluateMode(), &SensitivityMode(), &MixedPrecisionMode(),
  };
  return kModes;
}

const ModeDef* FindMode(int number) {
  for (const ModeDef* def : ModeTable()) {
    if (static_cast<int>(def->mode) == number) return def;
  }
  return nullptr;
}

const ModeDef& ModeOf(RunMode mode) {
  const ModeDef* found = FindMode(static_cast<int>(mode));
  if (found == nullptr) {
    std::fprintf(stderr, "RunMode %d has no line in ModeTable()\n", static_cast<int>(mode));
    std::abort();
  }
  return *found;
}

}  // namespace quantry::trainer
