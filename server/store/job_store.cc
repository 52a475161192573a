#include "server/store/job_store.h"

#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"
#include "server/core/job_id.h"

namespace quantry::server {

absl::Status JobNotFound(absl::string_view id) {
  return MakeError(absl::StatusCode::kNotFound, "JOB_NOT_FOUND",
                   absl::StrCat(JobName(id), " does not exist"));
}

absl::Status RequestIdReused(absl::string_view request_id) {
  return BadRequestError(
      "REQUEST_ID_REUSED",
      {{"request_id", absl::StrCat("'", request_id,
                                   "' was used for another spec; a repeat must ask for the same, a "
                                   "new job needs a new id")}});
}

absl::Status BlobIsBeingRemoved(absl::string_view sha256) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "BLOB_MISSING",
                   absl::StrCat("blob ", sha256,
                                " is being removed, because no job needed it for long; upload it "
                                "again"));
}

absl::Status CheckSequences(const JobChange& change, int64_t last_sequence) {
  for (const v1::Event& event : change.events) {
    if (event.sequence() != ++last_sequence) {
      return absl::InternalError(absl::StrCat("event ", event.sequence(), " of ",
                                              change.record.job.name(), " should be number ",
                                              last_sequence));
    }
  }
  if (change.record.job.last_sequence() != last_sequence) {
    return absl::InternalError(absl::StrCat(change.record.job.name(), " says its last event is ",
                                            change.record.job.last_sequence(), ", but it is ",
                                            last_sequence));
  }
  return absl::OkStatus();
}

}  // namespace quantry::server
