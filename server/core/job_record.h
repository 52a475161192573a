#ifndef QUANTRY_SERVER_CORE_JOB_RECORD_H_
#define QUANTRY_SERVER_CORE_JOB_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "quantry/v1/event.pb.h"
#include "quantry/v1/job.pb.h"

namespace quantry::server {

// All that the server keeps of a job: the public resource and what it needs beside it.
struct JobRecord {
  std::string id;
  v1::Job job;             // queue_position is computed when it is read, and 0 here
  std::string model_blob;  // SHA-256 of the model or weights to start from; empty: none

  int64_t lease_epoch = 0;                   // of the last lease; 0: never leased
  std::string lease_device;                  // Device.id, while LEASED or RUNNING
  int64_t finished_epoch = 0;                // lease whose holder ended its attempt itself; 0: none
  int64_t next_event_number = 1;             // of the current attempt's own numbers
  std::vector<std::string> crashed_workers;  // ids of workers that lost an attempt
  absl::Time queued_since;                   // entered QUEUED
  absl::Time attempt_start;                  // last lease
  absl::Duration run_time;                   // of ended attempts, from lease to end
  // Grows with every renewal of the lease, where several servers share the store: each watches it
  // on its own monotonic clock.
  int64_t lease_beat = 0;
  int32_t backoff = 0;             // failed attempts after which it waits, longer each time
  int32_t uncounted_attempts = 0;  // of job.attempt(), those that max_attempts does not count
};

// One step in a job's life: its new record and the events to store with it.
struct JobChange {
  JobRecord record;
  std::vector<v1::Event> events;

  // Numbers `event`, stamps it with `now` and the attempt, and adds it.
  void Add(v1::Event event, absl::Time now);
};

// The id of the worker that holds the job, empty if none does.
std::string LeaseWorkerId(const JobRecord& record);

google::protobuf::Timestamp ToProto(absl::Time time);
absl::Time FromProto(const google::protobuf::Timestamp& time);
google::protobuf::Duration ToProto(absl::Duration duration);
absl::Duration FromProto(const google::protobuf::Duration& duration);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_RECORD_H_
