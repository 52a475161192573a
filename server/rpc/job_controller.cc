#include "server/rpc/job_controller.h"

#include <spdlog/spdlog.h>
#include <algorithm>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/safetensors.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "server/core/error_details.h"
#include "server/core/job_lifecycle.h"
#include "server/core/job_state.h"
#include "server/core/job_verbs.h"
#include "server/core/namespace.h"
#include "server/core/onnx_check.h"
#include "server/core/spec_validation.h"
#include "server/rpc/job_requests.h"

namespace quantry::server {
namespace {

constexpr int kEventBatch = 256;
constexpr std::chrono::seconds kCancelCheck(1);
constexpr int kPurgeBatch = 100;
constexpr char kFloatModel[] = "model.float.onnx";

// The spec's hash, the same for equal specs (map entries are sorted).
std::string SpecHash(const v1::JobSpec& spec) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);
    spec.SerializeToCodedStream(&output);
  }
  return Sha256Hex(bytes);
}

absl::Status ShuttingDown() {
  return WithRetryDelay(
      MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                "the server is shutting down; connect again with the last number seen"),
      absl::Seconds(1));
}

absl::StatusOr<std::string> ResolveNamespace(const std::string& given, const Principal& who) {
  if (given.empty()) return who.HomeNamespace();
  if (!IsNamespace(given)) {
    return BadRequestError(
        "INVALID_NAMESPACE",
        {{"namespace", absl::StrCat("is '", given.substr(0, 80),
                                    "'; allowed: [a-z][a-z0-9-]{0,62}, or empty")}});
  }
  QUANTRY_RETURN_IF_ERROR(CheckNamespace(who, given));
  return given;
}

absl::Status WatchCancelled() { return absl::CancelledError("the watcher went away"); }

}  // namespace

absl::StatusOr<v1::Job> JobController::CreateJob(const v1::CreateJobRequest& request,
                                                 const Principal& who) {
  QUANTRY_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  QUANTRY_ASSIGN_OR_RETURN(const std::string name_space,
                           ResolveNamespace(request.namespace_(), who));
  QUANTRY_RETURN_IF_ERROR(ValidateJobSpec(request.spec()));
  QUANTRY_ASSIGN_OR_RETURN(std::string model_blob, ResolveModel(request.spec().model(), who));
  const absl::Time now = state_.clock.Now();
  JobChange job = SubmitJob(ids_.Next(now), name_space, request.spec(), std::move(model_blob), now);
  if (request.validate_only()) {
    job.record.job.clear_name();
    return std::move(job.record.job);
  }
  QUANTRY_RETURN_IF_ERROR(CheckWaiting(name_space));
  std::optional<JobStore::RequestKey> key;
  if (!request.request_id().empty()) {
    // Ids of one namespace mean nothing in another.
    key = JobStore::RequestKey{absl::StrCat(name_space, "/", request.request_id()),
                               SpecHash(request.spec())};
  }
  QUANTRY_ASSIGN_OR_RETURN(const JobRecord stored, state_.jobs.Create(job, key));
  const bool repeat = stored.id != job.record.id;
  spdlog::info("job submitted job={} namespace={} principal={} mode={} priority={} repeat={}",
               stored.id, stored.job.namespace_(), who.name,
               v1::Mode_Name(stored.job.spec().mode()), stored.job.spec().priority(), repeat);
  state_.notifier.Notify(kQueueTopic);
  return Present(stored);
}

absl::Status JobController::CheckWaiting(const std::string& name_space) {
  const v1::Quota quota = state_.quotas.Find(name_space);
  if (!quota.has_max_waiting_jobs()) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const int64_t waiting, state_.jobs.CountQueued(name_space));
  if (waiting < quota.max_waiting_jobs()) return absl::OkStatus();
  return WithRetryDelay(
      QuotaError("WAITING_JOBS_QUOTA", absl::StrCat("namespaces/", name_space),
                 absl::StrCat(waiting, " jobs of the namespace ", name_space,
                              " wait already; its quota is ", quota.max_waiting_jobs(),
                              "; submit again when some have run")),
      absl::Minutes(1));
}

absl::StatusOr<std::string> JobController::ResolveModel(const v1::ModelSource& source,
                                                        const Principal& who) {
  if (source.has_blob()) {
    QUANTRY_RETURN_IF_ERROR(CheckModelBlob(source.blob()));
    return source.blob();
  }
  if (source.builtin().has_weights()) {
    QUANTRY_RETURN_IF_ERROR(CheckWeightsBlob(source.builtin().weights()));
    return source.builtin().weights();
  }
  if (!source.has_job()) return std::string();
  QUANTRY_ASSIGN_OR_RETURN(const std::string id, ParseJobName(source.job(), "spec.model.job"));
  QUANTRY_ASSIGN_OR_RETURN(const JobRecord record, Find(id, who));
  if (record.job.state() != v1::JOB_STATE_SUCCEEDED) {
    return PreconditionError(
        "MODEL_JOB_NOT_SUCCEEDED", source.job(),
        absl::StrCat("spec.model.job: ", source.job(), " is ", JobStateName(record.job.state()),
                     "; it must have SUCCEEDED for its model to be used"));
  }
  for (const v1::Artifact& artifact : record.job.artifacts()) {
    if (artifact.name() == kFloatModel) return artifact.blob();
  }
  return PreconditionError("MODEL_JOB_WITHOUT_MODEL", source.job(),
                           absl::StrCat("spec.model.job: ", source.job(), " has no ", kFloatModel));
}

absl::Status JobController::CheckModelBlob(const std::string& sha256) {
  QUANTRY_ASSIGN_OR_RETURN(const auto reader, state_.blobs.Open(sha256));
  QUANTRY_ASSIGN_OR_RETURN(const std::string head, reader->Read(kOnnxHeadBytes));
  if (LooksLikeTorchScript(head)) return absl::OkStatus();
  const absl::Status status = CheckOnnxHead(head, reader->size());
  if (status.ok()) return status;
  return BadRequestError("MODEL_INVALID", {{"spec.model.blob", std::string(status.message())}});
}

absl::Status JobController::CheckWeightsBlob(const std::string& sha256) {
  QUANTRY_ASSIGN_OR_RETURN(const auto reader, state_.blobs.Open(sha256));
  QUANTRY_ASSIGN_OR_RETURN(const std::string head, reader->Read(kOnnxHeadBytes));
  if (LooksLikeSafetensors(head) || LooksLikeTorchScript(head) ||
      CheckOnnxHead(head, reader->size()).ok()) {
    return absl::OkStatus();
  }
  return BadRequestError("MODEL_INVALID",
                         {{"spec.model.builtin.weights",
                           "the file holds neither safetensors nor an ONNX or TorchScript "
                           "model"}});
}

absl::StatusOr<v1::Job> JobController::Present(const JobRecord& record, Position position) {
  v1::Job job = record.job;
  if (job.state() != v1::JOB_STATE_QUEUED) return job;
  const absl::Duration now = state_.clock.Monotonic();
  const v1::Resources& resources = job.spec().resources();
  const QueuedJob queued{
      .id = record.id,
      .name_space = job.namespace_(),
      .priority = job.spec().priority(),
      .rank = QueueRank(job.spec().priority(), record.queued_since),
      .device_kind = resources.device_kind(),
      .device_memory_bytes = resources.device_memory_bytes(),
      .device_count = std::max(1, resources.device_count()),
      .crashed_workers = record.crashed_workers,
      .lease_epoch = record.lease_epoch,
      .backoff = record.backoff,
      .not_before = state_.backoff.NotBefore(record.id, record.lease_epoch, record.backoff, now)};
  int64_t ahead = -1;
  if (position == Position::kCounted) {
    QUANTRY_ASSIGN_OR_RETURN(ahead, state_.jobs.CountAhead(queued.rank));
  }
  const std::string wait = ExplainWait(queued, ahead, state_.workers.Alive(now),
                                       state_.quotas.ShareOut(state_.leases.All()), now);
  job.set_queue_position(static_cast<int32_t>(ahead + 1));
  job.set_state_reason(job.attempt() == 0 ? wait : absl::StrCat(job.state_reason(), "; ", wait));
  return job;
}

absl::StatusOr<JobRecord> JobController::Find(const std::string& id, const Principal& who) {
  absl::StatusOr<JobRecord> record = state_.jobs.Get(id);
  const bool hidden = record.ok() ? !who.MayUse(record->job.namespace_())
                                  : absl::IsNotFound(record.status()) && who.IsRestricted();
  if (hidden) return JobNotVisible(JobName(id));
  return record;
}

absl::StatusOr<v1::Job> JobController::GetJob(const v1::GetJobRequest& request,
                                              const Principal& who) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string id, ParseJobName(request.name(), "name"));
  QUANTRY_ASSIGN_OR_RETURN(const JobRecord record, Find(id, who));
  return Present(record);
}

absl::StatusOr<v1::ListJobsResponse> JobController::ListJobs(const v1::ListJobsRequest& request,
                                                             const Principal& who) {
  QUANTRY_ASSIGN_OR_RETURN(JobQuery query, ParseListRequest(request));
  for (const std::string& name : query.namespaces) {
    QUANTRY_RETURN_IF_ERROR(CheckNamespace(who, name));
  }
  if (query.namespaces.empty()) query.namespaces = who.namespaces;
  const int page_size = query.limit;
  ++query.limit;  // one more than asked for tells whether there is another page
  QUANTRY_ASSIGN_OR_RETURN(std::vector<JobRecord> records, state_.jobs.List(query));
  v1::ListJobsResponse response;
  if (static_cast<int>(records.size()) > page_size) {
    records.pop_back();
    response.set_next_page_token(MakePageToken(request, query.order, records.back()));
  }
  for (const JobRecord& record : records) {
    QUANTRY_ASSIGN_OR_RETURN(*response.add_jobs(), Present(record, Position::kNotCounted));
    v1::Job& job = *response.mutable_jobs()->rbegin();
    if (job.has_result()) job.mutable_result()->clear_layers();
  }
  return response;
}

absl::StatusOr<v1::Job> JobController::Apply(const std::string& name, const Principal& who,
                                             const char* verb, Verb apply) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string id, ParseJobName(name, "name"));
  QUANTRY_RETURN_IF_ERROR(Find(id, who).status());
  const absl::Time now = state_.clock.Now();
  bool moved = false;
  const absl::StatusOr<JobRecord> record = state_.jobs.Update(id, [&](JobChange& change) {
    const absl::Status status = apply(change, now);
    moved = !change.events.empty();
    return status;
  });
  QUANTRY_RETURN_IF_ERROR(record.status());
  spdlog::info("job {} job={} principal={} state={}", verb, id, who.name,
               JobStateName(record->job.state()));
  if (moved && IsTerminal(record->job.state())) state_.metrics.RecordJobEnd(record->job);
  if (moved) state_.backoff.Forget(id);
  state_.notifier.Notify(id);
  if (record->job.state() == v1::JOB_STATE_QUEUED) state_.notifier.Notify(kQueueTopic);
  return Present(*record);
}

absl::StatusOr<v1::Job> JobController::CancelJob(const v1::CancelJobRequest& request,
                                                 const Principal& who) {
  return Apply(request.name(), who, "cancel", RequestCancel);
}

absl::StatusOr<v1::Job> JobController::PauseJob(const v1::PauseJobRequest& request,
                                                const Principal& who) {
  return Apply(request.name(), who, "pause", RequestPause);
}

absl::StatusOr<v1::Job> JobController::ResumeJob(const v1::ResumeJobRequest& request,
                                                 const Principal& who) {
  return Apply(request.name(), who, "resume", RequestResume);
}

absl::StatusOr<v1::Job> JobController::RetryJob(const v1::RetryJobRequest& request,
                                                const Principal& who) {
  return Apply(request.name(), who, "retry", RequestRetry);
}

absl::StatusOr<v1::Job> JobController::DeleteJob(const v1::DeleteJobRequest& request,
                                                 const Principal& who) {
  return Apply(request.name(), who, "delete", [this](JobChange& change, absl::Time now) {
    return RequestDelete(change, retention_, now);
  });
}

absl::StatusOr<v1::Job> JobController::UndeleteJob(const v1::UndeleteJobRequest& request,
                                                   const Principal& who) {
  return Apply(request.name(), who, "undelete", RequestUndelete);
}

void JobController::Purge() {
  const auto purged = state_.jobs.Purge(state_.clock.Now(), kPurgeBatch);
  if (!purged.ok()) {
    spdlog::error("purge failed error=\"{}\"", purged.status().ToString());
    return;
  }
  for (const std::string& id : *purged) spdlog::info("job purged job={}", id);
}

absl::Status JobController::WatchJob(const v1::WatchJobRequest& request, const Principal& who,
                                     absl::FunctionRef<bool(const v1::Event&)> send,
                                     absl::FunctionRef<bool()> is_cancelled) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string id, ParseJobName(request.name(), "name"));
  QUANTRY_ASSIGN_OR_RETURN(const JobRecord record, Find(id, who));
  int64_t after = request.after_sequence();
  if (after < 0 || after > record.job.last_sequence()) {
    return MakeError(absl::StatusCode::kOutOfRange, "SEQUENCE_OUT_OF_RANGE",
                     absl::StrCat("after_sequence is ", after, "; ", request.name(),
                                  " has events up to ", record.job.last_sequence()));
  }
  if (IsTerminal(record.job.state()) && after == record.job.last_sequence()) {
    return absl::OkStatus();
  }
  Notifier::Subscription subscription(state_.notifier, id);
  bool ended = false;  // the last event sent was one to a terminal state
  while (!state_.notifier.IsShutdown()) {
    QUANTRY_ASSIGN_OR_RETURN(const auto events, state_.jobs.Events(id, after, kEventBatch));
    for (const v1::Event& event : events) {
      if (!send(event)) return WatchCancelled();
      after = event.sequence();
      ended = IsTerminal(event.state_change().state());
    }
    if (events.size() == kEventBatch) continue;
    if (ended) return absl::OkStatus();  // and nobody has tried it again since
    while (!subscription.Wait(kCancelCheck)) {
      if (is_cancelled()) return WatchCancelled();
    }
  }
  return ShuttingDown();
}

}  // namespace quantry::server
