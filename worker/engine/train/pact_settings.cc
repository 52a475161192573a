#include "worker/engine/train/pact_settings.h"

namespace quantry::engine {
namespace {

constexpr PactSetting kTable[] = {
    {.name = "calibrated", .weight_decay = 1e-4},
    {.name = "alpha100", .alpha = 100.0, .learning_rate_factor = 1000.0},
    {.name = "alpha20", .alpha = 20.0, .weight_decay = 1e-4},
};

}  // namespace

absl::Span<const PactSetting> PactSettingTable() { return kTable; }

const PactSetting* FindPactSetting(absl::string_view name) {
  for (const PactSetting& setting : kTable) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

}  // namespace quantry::engine
