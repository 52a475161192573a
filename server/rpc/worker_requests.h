#ifndef QUANTRY_SERVER_RPC_WORKER_REQUESTS_H_
#define QUANTRY_SERVER_RPC_WORKER_REQUESTS_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "quantry/v1/worker_service.pb.h"
#include "server/store/blob_store.h"

namespace quantry::server {

// Checks of what workers send, and the labels under which the metrics count it.

// INVALID_ARGUMENT for a wrong id or devices that are missing, repeated or of unknown kind.
absl::Status CheckRegistration(const v1::RegisterWorkerRequest& request);

// FAILED_PRECONDITION with reason BLOB_MISSING for a checkpoint or an artifact whose blob is not in
// the store, INVALID_ARGUMENT for one with another size or for artifacts without or with the same
// names.
absl::Status CheckCheckpointBlobs(
    BlobStore& blobs, const google::protobuf::RepeatedPtrField<v1::TrainerEvent>& events);
absl::Status CheckArtifacts(BlobStore& blobs, const v1::FinishAttemptRequest& request);

// FAILED_PRECONDITION with reason STALE_LEASE for a lease whose time is over.
absl::Status LeaseRanOut(const v1::Lease& lease);

// Labels: "user", "infrastructure", ...; "succeeded", "failed", ...
std::string FailureCause(v1::FailureKind kind);
std::string StateLabel(v1::JobState state);
// The cause under which the end of an attempt counts; `job` is as it is afterwards.
std::string AttemptCause(const v1::Job& job, const v1::FinishAttemptRequest& request);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_WORKER_REQUESTS_H_
