#ifndef QUANTRY_CLIENT_CLI_JOB_TEXT_H_
#define QUANTRY_CLIENT_CLI_JOB_TEXT_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "quantry/v1/capabilities.pb.h"
#include "quantry/v1/job.pb.h"

namespace quantry::client {

// Jobs as text for people: lines that end in '\n'.

// "QUEUED", "qat", "TRAINING": enum values without their prefix; modes in lower case.
std::string StateText(v1::JobState state);
std::string ModeText(v1::Mode mode);

// One line per job: id, state, mode, model, bits, top-1, progress, creation time, run time, name.
// `now` ends the run time of jobs that still run.
std::string JobListTable(const std::vector<v1::Job>& jobs, absl::Time now);

// Everything worth knowing of one job.
std::string JobDetails(const v1::Job& job, absl::Time now);

// The figures of a job that ended: accuracies, sizes, time, and the three tensors with the least
// signal-to-noise ratio; of a failed job, what failed and what to change.
std::string ResultTable(const v1::Job& job);

std::string CapabilitiesTable(const v1::Capabilities& capabilities);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_JOB_TEXT_H_
