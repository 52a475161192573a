#include "worker/agent/attempt.h"

#include <google/protobuf/util/json_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/transfer/grpc_status.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointFile = "checkpoint.qckpt";
constexpr absl::Duration kCheckpointUploadLimit = absl::Minutes(2);
constexpr int64_t kDefaultBatchSize = 64;  // of TrainingOptions

// Whether an artifact's name is that of a file in the output folder itself.
bool IsFileName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

int64_t FileSize(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : static_cast<int64_t>(size);
}

v1::Failure InfrastructureFailure(std::string reason, const absl::Status& error) {
  return MakeFailure(v1::FAILURE_KIND_INFRASTRUCTURE, std::move(reason),
                     absl::StrCat("on the worker: ", error.message()));
}

}  // namespace

Attempt::Attempt(const WorkerEnvironment& environment, v1::AcquireLeaseResponse work,
                 std::string device, LeaseTiming timing)
    : environment_(environment),
      work_(std::move(work)),
      device_(std::move(device)),
      keeper_(work_.lease(), timing, environment.api, environment.metrics, environment.clock),
      reporter_(queue_, keeper_, environment.api, environment.metrics, environment.options.retry) {}

AttemptOutcome Attempt::Run() {
  spdlog::info("attempt started job={} attempt={} device={}", work_.lease().job(),
               work_.lease().attempt(), device_);
  const absl::Duration start = environment_.clock.Monotonic();
  v1::FinishAttemptRequest request;
  const absl::Status prepared = Prepare();
  Judgement judgement =
      prepared.ok() ? Train(request)
                    : JudgeFailure(InfrastructureFailure("INPUT_UNAVAILABLE", prepared), Causes());
  const AttemptOutcome outcome = Finish(std::move(judgement), request);
  environment_.metrics.CountAttempt(outcome, environment_.clock.Monotonic() - start);
  if (!folder_.empty()) {
    if (absl::Status removed = RemoveAll(folder_); !removed.ok()) {
      spdlog::warn("attempt folder left error=\"{}\"", removed.ToString());
    }
    std::error_code ignored;  // the job's folder stays if another attempt is in it
    fs::remove(folder_.parent_path(), ignored);
  }
  return outcome;
}

absl::Status Attempt::Prepare() {
  QUANTRY_ASSIGN_OR_RETURN(folder_, environment_.folder.MakeAttemptFolder(work_.lease()));
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(folder_ / "output"));
  v1::TrainerSpec spec;
  *spec.mutable_job() = work_.job().spec();
  spec.set_device(device_);
  for (const std::string& root : environment_.options.dataset_roots) spec.add_dataset_roots(root);
  spec.set_dataset_cache(environment_.folder.datasets().string());
  spec.set_dataset_cache_bytes(environment_.options.dataset_cache_bytes);
  QUANTRY_RETURN_IF_ERROR(FetchModel(spec));
  QUANTRY_RETURN_IF_ERROR(FetchCheckpoint(spec));
  std::string json;
  google::protobuf::util::JsonPrintOptions format;
  format.add_whitespace = true;
  const auto printed = google::protobuf::util::MessageToJsonString(spec, &json, format);
  if (!printed.ok()) return absl::InternalError(printed.ToString());
  return WriteFileAtomically(folder_ / "spec.json", json);
}

absl::Status Attempt::FetchModel(v1::TrainerSpec& spec) {
  if (work_.model_blob().empty()) return absl::OkStatus();
  const bool is_weights = spec.job().model().has_builtin();
  const fs::path path = folder_ / (is_weights ? "input.weights" : "input.model");
  bool hit = false;
  QUANTRY_RETURN_IF_ERROR(environment_.cache.LinkTo(
      work_.model_blob(), path,
      [this](const std::string& sha256, const fs::path& file) { return Download(sha256, file); },
      &hit));
  environment_.metrics.CountCacheLookup(hit);
  if (is_weights) {
    spec.set_weights_path(path.string());
  } else {
    spec.set_model_path(path.string());
  }
  return absl::OkStatus();
}

absl::Status Attempt::FetchCheckpoint(v1::TrainerSpec& spec) {
  if (work_.checkpoint_blob().empty()) return absl::OkStatus();
  const fs::path path = folder_ / "resume.qckpt";
  const absl::Status fetched = Download(work_.checkpoint_blob(), path);
  if (absl::IsDataLoss(fetched) || absl::IsNotFound(fetched)) {
    Log(v1::LogLine::WARNING,
        absl::StrCat("starting again from the first step, because the checkpoint is damaged: ",
                     fetched.message()));
    return absl::OkStatus();
  }
  QUANTRY_RETURN_IF_ERROR(fetched);
  spec.set_checkpoint_path(path.string());
  return absl::OkStatus();
}

Judgement Attempt::Train(v1::FinishAttemptRequest& request) {
  checkpoints_.emplace(
      folder_,
      [this](const fs::path& file) {
        return Upload(file,
                      [this] { return checkpoints_are_vain_ || keeper_.IsCancelRequested(); });
      },
      [this](const v1::CheckpointSaved& checkpoint, absl::Duration upload_time) {
        environment_.metrics.RecordCheckpoint(device_, checkpoint.seconds(), upload_time);
        v1::TrainerEvent event;
        *event.mutable_checkpoint() = checkpoint;
        queue_.Push(std::move(event));
      });
  const auto trainer =
      RunTrainer({.trainer = environment_.options.trainer,
                  .spec_file = folder_ / "spec.json",
                  .output_folder = folder_ / "output",
                  .stop_grace = environment_.options.stop_grace,
                  .ranks = std::max(1, work_.job().spec().resources().device_count()),
                  .stop = [this] { return WantedStop(); },
                  .is_behind = [this] { return queue_.IsFull(); },
                  .on_event = [this](v1::TrainerEvent event) { OnEvent(std::move(event)); }});
  Judgement judgement =
      trainer.ok()
          ? JudgeTrainer(*trainer, Causes())
          : JudgeFailure(InfrastructureFailure("TRAINER_NOT_STARTED", trainer.status()), Causes());
  SettleCheckpoints(judgement);
  checkpoints_.reset();
  if (judgement.outcome != AttemptOutcome::kSucceeded) return judgement;
  const absl::Status uploaded = UploadArtifacts(*trainer, *request.mutable_success());
  if (uploaded.ok()) return judgement;
  StopCauses causes = Causes();
  causes.shutdown = false;  // neither ends an upload of results
  causes.yield_requested = false;
  return JudgeFailure(InfrastructureFailure("ARTIFACT_UPLOAD_FAILED", uploaded), causes);
}

StopRequest Attempt::WantedStop() const {
  const StopCauses causes = Causes();
  if (causes.lease_lost) return StopRequest::kKill;
  const bool stop = causes.cancel_requested || causes.yield_requested || causes.shutdown;
  return stop ? StopRequest::kTerminate : StopRequest::kNone;
}

void Attempt::SettleCheckpoints(const Judgement& judgement) {
  const bool will_be_resumed = judgement.outcome == AttemptOutcome::kFailedInfrastructure ||
                               judgement.outcome == AttemptOutcome::kPreempted;
  if (will_be_resumed) {
    checkpoints_->WaitUntilIdle(environment_.stopping() ? environment_.options.shutdown_upload
                                                        : kCheckpointUploadLimit);
  }
  checkpoints_are_vain_ = true;
}

absl::Status Attempt::UploadArtifacts(const TrainerOutcome& trainer,
                                      v1::FinishAttemptRequest::Success& success) {
  *success.mutable_result() = *trainer.result;
  for (const v1::Artifact& told : trainer.artifacts) {
    if (!IsFileName(told.name())) {
      return absl::InvalidArgumentError(absl::StrCat("artifact is named '", told.name(), "'"));
    }
    const fs::path file = folder_ / "output" / told.name();
    QUANTRY_ASSIGN_OR_RETURN(const std::string sha256,
                             Upload(file, [this] { return keeper_.IsCancelRequested(); }));
    if (!told.blob().empty() && told.blob() != sha256) {
      return absl::DataLossError(absl::StrCat("artifact ", told.name(), " has SHA-256 ", sha256,
                                              ", the trainer wrote ", told.blob()));
    }
    v1::Artifact& artifact = *success.add_artifacts();
    artifact.set_name(told.name());
    artifact.set_blob(sha256);
    artifact.set_size_bytes(FileSize(file));
  }
  return absl::OkStatus();
}

void Attempt::OnEvent(v1::TrainerEvent event) {
  if (event.has_checkpoint()) {
    const absl::Status offered =
        checkpoints_->Offer(event.checkpoint(), folder_ / "output" / kCheckpointFile);
    if (!offered.ok()) Log(v1::LogLine::WARNING, std::string(offered.message()));
    return;  // it is reported once it is at the server
  }
  if (event.has_progress()) CountProgress(event.progress());
  environment_.metrics.CountEventsDropped(queue_.Push(std::move(event)));
}

void Attempt::CountProgress(const v1::Progress& progress) {
  if (progress.phase() != v1::PHASE_TRAINING) return;
  if (progress.has_data_wait_share()) {
    environment_.metrics.SetReader(device_, progress.data_wait_share(),
                                   progress.reader_images_per_second());
  }
  const int64_t steps = progress.step() - steps_done_.value_or(progress.step());
  steps_done_ = progress.step();
  if (steps <= 0) return;
  const v1::TrainingOptions& training = work_.job().spec().training();
  const int64_t batch = training.has_batch_size() ? training.batch_size() : kDefaultBatchSize;
  environment_.metrics.CountSteps(steps, steps * batch);
}

void Attempt::Log(v1::LogLine::Level level, std::string message) {
  v1::TrainerEvent event;
  event.mutable_log()->set_level(level);
  event.mutable_log()->set_message(std::move(message));
  queue_.Push(std::move(event));
}

AttemptOutcome Attempt::Finish(Judgement judgement, v1::FinishAttemptRequest& request) {
  reporter_.Finish();
  *request.mutable_lease() = work_.lease();
  if (judgement.failure.has_value()) *request.mutable_failure() = *judgement.failure;
  if (judgement.outcome == AttemptOutcome::kCancelled) request.set_cancelled(true);
  client::Backoff backoff(environment_.options.retry);
  while (!keeper_.IsLost()) {
    const auto response = environment_.api.Finish(request);
    if (response.ok()) {
      spdlog::info("attempt finished job={} attempt={} state={} reason={}", work_.lease().job(),
                   work_.lease().attempt(), v1::JobState_Name(response->state()),
                   request.failure().reason());
      return judgement.outcome;
    }
    keeper_.Observe(response.status());
    if (!client::IsTransient(response.status()) && !keeper_.IsLost()) {
      spdlog::error("end of attempt refused job={} error=\"{}\"", work_.lease().job(),
                    response.status().ToString(absl::StatusToStringMode::kWithNoExtraData));
      if (!request.has_success()) return judgement.outcome;  // the lease will run out
      judgement.outcome = AttemptOutcome::kFailedInfrastructure;
      *request.mutable_failure() = InfrastructureFailure("RESULT_REFUSED", response.status());
    }
    environment_.api.WaitForRetry(backoff.Next(), [this] { return keeper_.IsLost(); });
  }
  spdlog::warn("lease lost job={} attempt={} reason=\"{}\"", work_.lease().job(),
               work_.lease().attempt(), keeper_.lost_reason());
  return AttemptOutcome::kLeaseLost;
}

StopCauses Attempt::Causes() const {
  return {.lease_lost = keeper_.IsLost(),
          .cancel_requested = keeper_.IsCancelRequested(),
          .yield_requested = keeper_.IsYieldRequested(),
          .shutdown = environment_.stopping()};
}

absl::StatusOr<std::string> Attempt::Upload(const fs::path& file,
                                            std::function<bool()> cancelled) const {
  client::TransferOptions options{.retry = environment_.options.retry};
  options.cancelled = [this, cancelled] { return keeper_.IsLost() || cancelled(); };
  const client::BlobTransfer transfer(environment_.channel, std::move(options));
  QUANTRY_ASSIGN_OR_RETURN(std::string sha256, transfer.UploadFile(file));
  environment_.metrics.CountBytes(Direction::kSent, FileSize(file));
  return sha256;
}

absl::Status Attempt::Download(const std::string& sha256, const fs::path& file) const {
  client::TransferOptions options{.retry = environment_.options.retry};
  options.cancelled = [this] {
    const StopCauses causes = Causes();
    return causes.lease_lost || causes.cancel_requested || causes.yield_requested ||
           causes.shutdown;
  };
  const client::BlobTransfer transfer(environment_.channel, std::move(options));
  QUANTRY_RETURN_IF_ERROR(transfer.DownloadBlob(sha256, file));
  environment_.metrics.CountBytes(Direction::kReceived, FileSize(file));
  return absl::OkStatus();
}

}  // namespace quantry::agent
