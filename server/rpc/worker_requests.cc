#include "server/rpc/worker_requests.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_id.h"
#include "server/core/job_state.h"
#include "server/core/violations.h"

namespace quantry::server {
namespace {

constexpr size_t kMaxText = 256;

// OK if the blob is in the store with this size.
absl::Status CheckBlob(BlobStore& blobs, const std::string& what, const std::string& sha256,
                       int64_t size) {
  const absl::StatusOr<int64_t> stored = blobs.Size(sha256);
  if (absl::IsNotFound(stored.status())) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "BLOB_MISSING",
                     absl::StrCat(what, ": ", stored.status().message(), "; upload it first"));
  }
  QUANTRY_RETURN_IF_ERROR(stored.status());
  if (*stored == size) return absl::OkStatus();
  return BadRequestError(
      "SIZE_MISMATCH",
      {{what, absl::StrCat("size_bytes is ", size, ", but the blob has ", *stored)}});
}

}  // namespace

absl::Status CheckRegistration(const v1::RegisterWorkerRequest& request) {
  Violations violations;
  violations.Require(IsWorkerId(request.worker_id()), "worker_id",
                     absl::StrCat("'", request.worker_id().substr(0, 80), "'"), "[a-z0-9-]{1,63}");
  violations.Require(request.hostname().size() <= kMaxText, "hostname",
                     absl::StrCat(request.hostname().size(), " bytes long"), "at most 256");
  violations.Require(request.version().size() <= kMaxText, "version",
                     absl::StrCat(request.version().size(), " bytes long"), "at most 256");
  violations.Require(request.devices_size() >= 1 && request.devices_size() <= 64, "devices",
                     absl::StrCat("a list of ", request.devices_size()), "1 to 64 devices");
  std::set<std::string> ids;
  for (const v1::Device& device : request.devices()) {
    violations.Require(
        !device.id().empty() && device.id().size() <= kMaxText && ids.insert(device.id()).second,
        "devices.id", absl::StrCat("'", device.id().substr(0, 80), "'"),
        "different names for all devices, at most 256 bytes long");
    violations.Require(device.kind() == "cpu" || device.kind() == "cuda", "devices.kind",
                       absl::StrCat("'", device.kind().substr(0, 80), "'"), "cpu, cuda");
    violations.Require(device.model().size() <= kMaxText, "devices.model",
                       absl::StrCat(device.model().size(), " bytes long"), "at most 256");
  }
  return violations.ToStatus("INVALID_WORKER");
}

absl::Status CheckCheckpointBlobs(
    BlobStore& blobs, const google::protobuf::RepeatedPtrField<v1::TrainerEvent>& events) {
  for (const v1::TrainerEvent& event : events) {
    if (event.checkpoint().blob().empty()) continue;
    QUANTRY_RETURN_IF_ERROR(CheckBlob(blobs, "events.checkpoint", event.checkpoint().blob(),
                                      event.checkpoint().size_bytes()));
  }
  return absl::OkStatus();
}

absl::Status CheckArtifacts(BlobStore& blobs, const v1::FinishAttemptRequest& request) {
  std::set<std::string> names;
  for (const v1::Artifact& artifact : request.success().artifacts()) {
    const bool named = !artifact.name().empty() && artifact.name().size() <= kMaxText &&
                       artifact.name().find('/') == std::string::npos;
    if (!named || !names.insert(artifact.name()).second) {
      return BadRequestError(
          "INVALID_ARTIFACT",
          {{"success.artifacts.name",
            absl::StrCat("is '", artifact.name().substr(0, 80),
                         "'; allowed: different file names, without '/', at most 256 bytes")}});
    }
    QUANTRY_RETURN_IF_ERROR(CheckBlob(blobs, absl::StrCat("success.artifacts ", artifact.name()),
                                      artifact.blob(), artifact.size_bytes()));
  }
  return absl::OkStatus();
}

absl::Status LeaseRanOut(const v1::Lease& lease) {
  return PreconditionError(
      "STALE_LEASE", lease.job(),
      absl::StrCat("lease (", lease.job(), ", attempt ", lease.attempt(), ", epoch ", lease.epoch(),
                   ") has run out; end its trainer"));
}

std::string FailureCause(v1::FailureKind kind) {
  if (kind == v1::FAILURE_KIND_UNSPECIFIED) kind = v1::FAILURE_KIND_INFRASTRUCTURE;
  return absl::AsciiStrToLower(absl::StripPrefix(v1::FailureKind_Name(kind), "FAILURE_KIND_"));
}

std::string StateLabel(v1::JobState state) { return absl::AsciiStrToLower(JobStateName(state)); }

std::string AttemptCause(const v1::Job& job, const v1::FinishAttemptRequest& request) {
  if (job.state() == v1::JOB_STATE_SUCCEEDED || job.state() == v1::JOB_STATE_CANCELLED) {
    return StateLabel(job.state());
  }
  return FailureCause(request.failure().kind());
}

}  // namespace quantry::server
