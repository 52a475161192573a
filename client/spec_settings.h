#ifndef QUANTRY_CLIENT_SPEC_SETTINGS_H_
#define QUANTRY_CLIENT_SPEC_SETTINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/spec.pb.h"

namespace quantry::client {

// Applies one "KEY=VALUE" to a job's spec. KEY is
//   - the path of a field of JobSpec: training.epochs, pact.alpha, model.builtin.width,
//   - its last part where that names one field of JobSpec, training, data, pact or resources only:
//     epochs, batch_size, image_size; and "lr" for learning_rate,
//   - quant.NAME: a key of the quant_config, merged into the JSON text in spec.quant_config.
// VALUE: a number, true or false, text, the name of an enum value ("qat"), a length of time
// ("90m"), comma-separated values for a repeated field. The value of quant.NAME is JSON or else
// text; commas make a list where the key wants one.
// INVALID_ARGUMENT names the setting, what is wrong, and the nearest known key. The server checks
// ranges.
absl::Status ApplySetting(absl::string_view setting, v1::JobSpec& spec);

// Every path that ApplySetting accepts, sorted; those of the quant_config included.
std::vector<std::string> KnownSettings();

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_SPEC_SETTINGS_H_
