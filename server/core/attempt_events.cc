#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_lifecycle.h"
#include "server/core/job_state.h"
#include "server/core/job_transitions.h"

namespace quantry::server {
namespace {

constexpr size_t kMaxLogLine = 8192;

bool ShowsTrainerAtWork(const v1::TrainerEvent& event) {
  return event.has_progress() || event.has_metrics() || event.has_checkpoint();
}

// The public form of a trainer's event; also updates what the job shows.
absl::StatusOr<v1::Event> Translate(const v1::TrainerEvent& given, v1::Job& job) {
  v1::Event event;
  switch (given.event_case()) {
    case v1::TrainerEvent::kProgress:
      *event.mutable_progress() = given.progress();
      *job.mutable_progress() = given.progress();
      return event;
    case v1::TrainerEvent::kMetrics:
      *event.mutable_metrics() = given.metrics();
      return event;
    case v1::TrainerEvent::kLog:
      *event.mutable_log() = given.log();
      event.mutable_log()->set_message(KeepHead(given.log().message(), kMaxLogLine));
      return event;
    case v1::TrainerEvent::kCheckpoint:
      *event.mutable_checkpoint() = given.checkpoint();
      if (!given.checkpoint().blob().empty()) *job.mutable_checkpoint() = given.checkpoint();
      return event;
    case v1::TrainerEvent::kArtifact:
    case v1::TrainerEvent::kResult:
    case v1::TrainerEvent::kFailure:
    case v1::TrainerEvent::EVENT_NOT_SET:
      break;
  }
  return BadRequestError(
      "INVALID_EVENT", {{"events",
                         "an event is empty or an artifact, result or failure; allowed: progress, "
                         "metrics, log, checkpoint; the outcome goes with FinishAttempt"}});
}

}  // namespace

absl::Status AppendTrainerEvents(JobChange& change, int64_t first_number,
                                 const google::protobuf::RepeatedPtrField<v1::TrainerEvent>& events,
                                 absl::Time now) {
  JobRecord& record = change.record;
  if (first_number < 1) {
    return BadRequestError(
        "INVALID_EVENT",
        {{"first_number", absl::StrCat("is ", first_number, "; numbers start at 1")}});
  }
  if (first_number > record.next_event_number) {
    return MakeError(absl::StatusCode::kOutOfRange, "EVENT_GAP",
                     absl::StrCat("first_number is ", first_number,
                                  "; the next number expected is ", record.next_event_number),
                     {{"next_number", absl::StrCat(record.next_event_number)}});
  }
  int64_t number = first_number;
  for (const v1::TrainerEvent& given : events) {
    if (number++ < record.next_event_number) continue;
    if (record.job.state() == v1::JOB_STATE_LEASED && ShowsTrainerAtWork(given)) {
      QUANTRY_RETURN_IF_ERROR(
          ApplyTrigger(change, JobTrigger::kStart, "the trainer runs", std::nullopt, now));
    }
    QUANTRY_ASSIGN_OR_RETURN(v1::Event event, Translate(given, record.job));
    change.Add(std::move(event), now);
    record.next_event_number = number;
  }
  if (!change.events.empty()) *record.job.mutable_update_time() = ToProto(now);
  return absl::OkStatus();
}

}  // namespace quantry::server
