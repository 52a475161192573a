#ifndef QUANTRY_TESTS_CLIENT_SAMPLE_JOB_H_
#define QUANTRY_TESTS_CLIENT_SAMPLE_JOB_H_

#include <vector>

#include "quantry/v1/event.pb.h"
#include "quantry/v1/job.pb.h"

namespace quantry::client {

inline constexpr char kSampleJob[] = "jobs/0abc";

// A QAT job that SUCCEEDED, with times, result, layers and artifacts.
v1::Job SampleJob();

// Its story, numbered from 1; the last event is the terminal one.
std::vector<v1::Event> SampleEvents();

// The event of a job that ended in `state`, as number `sequence`.
v1::Event TerminalEvent(int64_t sequence, v1::JobState state);

}  // namespace quantry::client

#endif  // QUANTRY_TESTS_CLIENT_SAMPLE_JOB_H_
