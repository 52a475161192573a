#include "server/core/job_lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"
#include "server/core/job_transitions.h"
#include "server/core/job_verbs.h"
#include "tests/server/sample_spec.h"

namespace quantry::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class JobLifecycleTest : public testing::Test {
 protected:
  v1::JobState state() const { return change_.record.job.state(); }

  void Lease(const std::string& worker = "w") {
    ASSERT_TRUE(LeaseJob(change_, worker, "cpu", kNow).ok());
    lease_.set_job(change_.record.job.name());
    lease_.set_attempt(change_.record.job.attempt());
    lease_.set_epoch(change_.record.lease_epoch);
    finish_.set_worker_id(worker);
    *finish_.mutable_lease() = lease_;
  }

  absl::Status Report(int64_t first_number, const std::vector<v1::TrainerEvent>& events) {
    google::protobuf::RepeatedPtrField<v1::TrainerEvent> list(events.begin(), events.end());
    return AppendTrainerEvents(change_, first_number, list, kNow);
  }

  static v1::TrainerEvent Log(const std::string& message) {
    v1::TrainerEvent event;
    event.mutable_log()->set_message(message);
    return event;
  }
  static v1::TrainerEvent Step(int64_t step) {
    v1::TrainerEvent event;
    event.mutable_progress()->set_step(step);
    return event;
  }

  absl::Status FinishWith(v1::FailureKind kind) {
    finish_.mutable_failure()->set_kind(kind);
    finish_.mutable_failure()->set_reason("REASON");
    return FinishAttempt(change_, finish_, kNow + absl::Seconds(3));
  }

  JobChange change_ = SubmitJob("00000000000000000001", "default", SampleSpec(), "", kNow);
  v1::Lease lease_;
  v1::FinishAttemptRequest finish_;
};

TEST_F(JobLifecycleTest, ALifeFromSubmitToSuccess) {
  EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
  Lease();
  EXPECT_EQ(state(), v1::JOB_STATE_LEASED);
  EXPECT_EQ(change_.record.job.worker(), "workers/w");
  ASSERT_TRUE(Report(1, {Log("fetching")}).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_LEASED) << "a log line is no training";
  ASSERT_TRUE(Report(2, {Step(1)}).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(change_.record.job.progress().step(), 1);
  finish_.mutable_success()->mutable_result()->set_float_top1(0.5);
  finish_.mutable_success()->add_artifacts()->set_name("model.onnx");
  ASSERT_TRUE(FinishAttempt(change_, finish_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(change_.record.job.artifacts(), SizeIs(1));
  EXPECT_EQ(change_.record.job.worker(), "");
  EXPECT_TRUE(change_.record.job.has_end_time());
  const v1::Event& last = change_.events.back();
  EXPECT_EQ(last.state_change().state(), v1::JOB_STATE_SUCCEEDED) << "a watch's last event";
  for (size_t i = 0; i < change_.events.size(); ++i) {
    EXPECT_EQ(change_.events[i].sequence(), static_cast<int64_t>(i) + 1);
  }
}

TEST_F(JobLifecycleTest, SkipsEventsThatAreStoredAndRefusesGaps) {
  Lease();
  ASSERT_TRUE(Report(1, {Log("a"), Log("b")}).ok());
  const size_t before = change_.events.size();
  ASSERT_TRUE(Report(1, {Log("a"), Log("b"), Log("c")}).ok());
  ASSERT_THAT(change_.events, SizeIs(before + 1));
  EXPECT_EQ(change_.events.back().log().message(), "c");
  EXPECT_EQ(change_.record.next_event_number, 4);
  const absl::Status gap = Report(5, {Log("e")});
  EXPECT_EQ(gap.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ErrorReason(gap), "EVENT_GAP");
  EXPECT_EQ(Report(0, {Log("e")}).code(), absl::StatusCode::kInvalidArgument);
  v1::TrainerEvent result;
  result.mutable_result();
  EXPECT_EQ(Report(4, {result}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(JobLifecycleTest, RemembersTheLatestUploadedCheckpoint) {
  Lease();
  v1::TrainerEvent uploaded;
  uploaded.mutable_checkpoint()->set_blob("hash");
  v1::TrainerEvent local;
  local.mutable_checkpoint()->set_step(7);
  ASSERT_TRUE(Report(1, {uploaded, local}).ok());
  EXPECT_EQ(change_.record.job.checkpoint().blob(), "hash");
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  EXPECT_EQ(change_.record.job.checkpoint().blob(), "hash") << "the next attempt goes on from it";
}

TEST_F(JobLifecycleTest, UserFailuresEndTheJob) {
  Lease();
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_USER).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(change_.record.job.failure().reason(), "REASON");
}

TEST_F(JobLifecycleTest, InfrastructureFailuresAreTriedAgainUntilMaxAttempts) {
  change_.record.job.mutable_spec()->set_max_attempts(2);
  Lease("a");
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(change_.events.back().state_change().failure().reason(), "REASON");
  EXPECT_THAT(change_.record.crashed_workers, ElementsAre("a"));
  EXPECT_EQ(change_.record.run_time, absl::Seconds(3));
  Lease("b");
  EXPECT_EQ(change_.record.job.attempt(), 2);
  EXPECT_EQ(change_.record.lease_epoch, 2);
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(change_.record.job.failure().kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
}

TEST_F(JobLifecycleTest, APreemptedWorkerIsNotACrashedOne) {
  Lease();
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_PREEMPTED).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
  EXPECT_THAT(change_.record.crashed_workers, SizeIs(0));
}

TEST_F(JobLifecycleTest, PreemptedAttemptsDoNotCount) {
  change_.record.job.mutable_spec()->set_max_attempts(2);
  for (int i = 0; i < 5; ++i) {
    Lease();
    ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_PREEMPTED).ok());
    EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
    EXPECT_EQ(change_.record.backoff, 0);
  }
  Lease();
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(change_.record.backoff, 1);
  EXPECT_THAT(change_.record.job.state_reason(), HasSubstr("attempt 1 of 2"));
  Lease();
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_FAILED);
}

TEST_F(JobLifecycleTest, ARepeatedFinishChangesNothing) {
  Lease();
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  const size_t events = change_.events.size();
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  EXPECT_THAT(change_.events, SizeIs(events));
}

TEST_F(JobLifecycleTest, TheFenceKnowsJobAttemptEpochAndWorker) {
  Lease();
  EXPECT_TRUE(CheckFence(change_.record, lease_, "w").ok());
  EXPECT_EQ(ErrorReason(CheckFence(change_.record, lease_, "other")), "STALE_LEASE");
  v1::Lease old = lease_;
  old.set_epoch(0);
  EXPECT_EQ(ErrorReason(CheckFence(change_.record, old, "w")), "STALE_LEASE");
  old = lease_;
  old.set_attempt(9);
  EXPECT_EQ(ErrorReason(CheckFence(change_.record, old, "w")), "STALE_LEASE");
  v1::Failure expired;
  expired.set_kind(v1::FAILURE_KIND_INFRASTRUCTURE);
  ASSERT_TRUE(LoseLease(change_, 1, expired, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(ErrorReason(CheckFence(change_.record, lease_, "w")), "STALE_LEASE");
  EXPECT_EQ(ErrorReason(FinishWith(v1::FAILURE_KIND_USER)), "STALE_LEASE");
}

TEST_F(JobLifecycleTest, LosingAnOldLeaseHasNoEffect) {
  Lease();
  const size_t events = change_.events.size();
  ASSERT_TRUE(LoseLease(change_, 7, v1::Failure(), kNow).ok());
  EXPECT_THAT(change_.events, SizeIs(events));
  EXPECT_EQ(state(), v1::JOB_STATE_LEASED);
}

TEST_F(JobLifecycleTest, CancelOfAQueuedJobIsAtOnce) {
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_CANCELLED);
  const size_t events = change_.events.size();
  ASSERT_TRUE(RequestCancel(change_, kNow).ok()) << "a repeat is no error";
  EXPECT_THAT(change_.events, SizeIs(events));
}

TEST_F(JobLifecycleTest, CancelOfAHeldJobWaitsForItsWorker) {
  Lease();
  finish_.set_cancelled(true);
  EXPECT_EQ(ErrorReason(FinishAttempt(change_, finish_, kNow)), "NOT_CANCELLED");
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_LEASED);
  EXPECT_TRUE(change_.record.job.cancel_requested());
  ASSERT_TRUE(FinishAttempt(change_, finish_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobLifecycleTest, AFailureOrLostLeaseAfterACancelRequestIsACancel) {
  Lease();
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_INFRASTRUCTURE).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobLifecycleTest, ASuccessThatRacesWithACancelWins) {
  Lease();
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  finish_.mutable_success();
  ASSERT_TRUE(FinishAttempt(change_, finish_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(RequestCancel(change_, kNow).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(JobLifecycleTest, LastWordsAndLogLinesAreCutBetweenCharacters) {
  EXPECT_EQ(KeepTail("aä", 2), "ä");
  EXPECT_EQ(KeepTail("aä", 1), "");
  EXPECT_EQ(KeepHead("aä", 2), "a");
  EXPECT_EQ(KeepHead("aä", 3), "aä");
  Lease();
  ASSERT_TRUE(Report(1, {Log(std::string(10'000, 'x'))}).ok());
  EXPECT_THAT(change_.events.back().log().message(), SizeIs(8192));
  finish_.mutable_failure()->set_last_words(absl::StrCat(std::string(5000, 'x'), "end"));
  ASSERT_TRUE(FinishWith(v1::FAILURE_KIND_USER).ok());
  EXPECT_THAT(change_.record.job.failure().last_words(), SizeIs(4096));
  EXPECT_THAT(change_.record.job.failure().last_words(), HasSubstr("end"));
}

}  // namespace
}  // namespace quantry::server
