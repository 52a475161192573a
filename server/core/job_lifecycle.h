#ifndef QUANTRY_SERVER_CORE_JOB_LIFECYCLE_H_
#define QUANTRY_SERVER_CORE_JOB_LIFECYCLE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "quantry/v1/spec.pb.h"
#include "quantry/v1/trainer.pb.h"
#include "quantry/v1/worker_service.pb.h"
#include "server/core/job_record.h"

namespace quantry::server {

// Every step in a job's life, as pure functions from a record to a record and events. The caller
// runs them inside one store transaction; on an error nothing must be kept. `now` is wall time.

// A new job in state QUEUED, with event number 1.
JobChange SubmitJob(std::string id, std::string name_space, const v1::JobSpec& spec,
                    std::string model_blob, absl::Time now);

// Gives a QUEUED job to a worker: state LEASED, next attempt, next epoch.
absl::Status LeaseJob(JobChange& change, absl::string_view worker_id, absl::string_view device,
                      absl::Time now);

// FAILED_PRECONDITION with reason STALE_LEASE unless `lease` is the one under which `worker_id`
// holds the job now.
absl::Status CheckFence(const JobRecord& record, const v1::Lease& lease,
                        absl::string_view worker_id);

// Appends what a trainer reports; events[0] has the attempt's number `first_number`, and those
// already stored are skipped. The first progress makes the job RUNNING. OUT_OF_RANGE with reason
// EVENT_GAP (metadata next_number) if numbers are missing; INVALID_ARGUMENT for an artifact, result
// or failure, which FinishAttempt carries. The fence must have been checked.
absl::Status AppendTrainerEvents(JobChange& change, int64_t first_number,
                                 const google::protobuf::RepeatedPtrField<v1::TrainerEvent>& events,
                                 absl::Time now);

// Ends the attempt as its worker asks (`request` has an outcome): SUCCEEDED, CANCELLED, FAILED, or
// QUEUED again. A failure after a cancel request counts as cancelled. A repeat by the same lease
// changes nothing. Checks the fence.
absl::Status FinishAttempt(JobChange& change, const v1::FinishAttemptRequest& request,
                           absl::Time now);

// Asks the holder of lease `epoch` to make room for another job. No effect if the job has another
// lease by now or none.
void RequestRoom(JobChange& change, int64_t epoch, absl::Time now);

// Ends a job that waits for its first worker, for too long: FAILED, QUOTA. No effect if it does
// not.
absl::Status ExpireQueued(JobChange& change, absl::Time now);

// Takes the lease `epoch` away with this failure (lease expired, worker restarted, deadline
// exceeded): CANCELLED if that was asked for, else QUEUED again or FAILED. No effect if the job has
// another lease by now or none.
absl::Status LoseLease(JobChange& change, int64_t epoch, const v1::Failure& failure,
                       absl::Time now);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_LIFECYCLE_H_
