#ifndef QUANTRY_WORKER_ENGINE_TRAIN_PACT_SETTINGS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_PACT_SETTINGS_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry::engine {

// A published way of training PACT's alpha.
struct PactSetting {
  absl::string_view name;              // as in quant_config's pact_setting
  std::optional<double> alpha;         // start; absent: the calibrated threshold
  double learning_rate_factor = 1.0;   // times the learning rate
  std::optional<double> weight_decay;  // L2 on alpha; absent: that of all other parameters
};

// "calibrated": starts at what calibration found, L2 decay 1e-4. "alpha100": starts at 100,
// learning rate times 1000, no decay of its own. "alpha20": starts at 20, L2 decay 1e-4
// (PaddleSlim's two).
absl::Span<const PactSetting> PactSettingTable();

// Null if there is none of this name.
const PactSetting* FindPactSetting(absl::string_view name);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_PACT_SETTINGS_H_
