#ifndef QUANTRY_SERVER_CORE_SPEC_SECTIONS_H_
#define QUANTRY_SERVER_CORE_SPEC_SECTIONS_H_

#include "quantry/v1/spec.pb.h"
#include "server/core/violations.h"

namespace quantry::server {

// The checks of ValidateJobSpec, a function per section of the spec; each adds what is wrong.

void CheckModelSource(const v1::ModelSource& model, Violations& violations);
void CheckDataOptions(const v1::DataOptions& data, Violations& violations);
void CheckTrainingOptions(const v1::TrainingOptions& training, v1::Mode mode,
                          Violations& violations);
// quant_config and the PACT options that depend on it.
void CheckQuantization(const v1::JobSpec& spec, Violations& violations);
// The options of single modes: sensitivity, mixed_precision, ptq.
void CheckModeOptions(const v1::JobSpec& spec, Violations& violations);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_SPEC_SECTIONS_H_
