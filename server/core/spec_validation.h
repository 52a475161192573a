#ifndef QUANTRY_SERVER_CORE_SPEC_VALIDATION_H_
#define QUANTRY_SERVER_CORE_SPEC_VALIDATION_H_

#include "absl/status/status.h"
#include "quantry/v1/spec.pb.h"

namespace quantry::server {

// Checks every field of a spec that can be checked without I/O, with the ranges of spec.proto.
// INVALID_ARGUMENT with reason INVALID_SPEC lists every wrong field as "spec.training.epochs"; an
// option that would have no effect in the job's mode is refused as well.
absl::Status ValidateJobSpec(const v1::JobSpec& spec);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_SPEC_VALIDATION_H_
