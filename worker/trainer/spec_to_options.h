#ifndef QUANTRY_WORKER_TRAINER_SPEC_TO_OPTIONS_H_
#define QUANTRY_WORKER_TRAINER_SPEC_TO_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/trainer.pb.h"
#include "worker/trainer/run_options.h"

namespace quantry::trainer {

// Reads a TrainerSpec from protobuf JSON. INVALID_ARGUMENT names what is wrong with the text.
absl::StatusOr<v1::TrainerSpec> ParseSpec(absl::string_view json);

// The only place where messages become engine options: absent fields get their defaults, those that
// depend on this machine (threads) too. INVALID_ARGUMENT names field, value and what is allowed,
// with reason QUANT_CONFIG_INVALID or SPEC_INVALID (see failure.h).
absl::StatusOr<RunOptions> SpecToOptions(const v1::TrainerSpec& spec);

// Names of options that are set in `spec` but have no effect in its mode: fields of job.training by
// their name, and parts of the job.
std::vector<std::string> UnusedOptions(const v1::TrainerSpec& spec);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_SPEC_TO_OPTIONS_H_
