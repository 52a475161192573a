#ifndef QUANTRY_WORKER_TRAINER_READ_MODE_OPTIONS_H_
#define QUANTRY_WORKER_TRAINER_READ_MODE_OPTIONS_H_

#include "absl/status/status.h"
#include "quantry/v1/spec.pb.h"
#include "worker/trainer/run_options.h"

namespace quantry::trainer {

// Reads job.sensitivity, job.mixed_precision and job.ptq, where options.mode uses them, and fills
// in what is absent. INVALID_ARGUMENT names field, value and what is allowed.
absl::Status ReadModeOptions(const v1::JobSpec& job, RunOptions& options);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_READ_MODE_OPTIONS_H_
