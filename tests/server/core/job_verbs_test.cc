#include "server/core/job_verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/error_details.h"
#include "server/core/job_lifecycle.h"
#include "tests/server/sample_spec.h"

namespace quantry::server {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class JobVerbsTest : public testing::Test {
 protected:
  v1::JobState state() const { return change_.record.job.state(); }
  void Lease() { ASSERT_TRUE(LeaseJob(change_, "w", "cpu", kNow).ok()); }
  void Fail(v1::FailureKind kind) {
    v1::Failure failure;
    failure.set_kind(kind);
    ASSERT_TRUE(LoseLease(change_, change_.record.lease_epoch, failure, kNow).ok());
  }

  JobChange change_ = SubmitJob("00000000000000000001", "default", SampleSpec(), "", kNow);
};

TEST_F(JobVerbsTest, AQueuedJobIsPausedAtOnceAndResumed) {
  ASSERT_TRUE(RequestPause(change_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_PAUSED);
  const size_t events = change_.events.size();
  ASSERT_TRUE(RequestPause(change_, kNow).ok()) << "a repeat is no error";
  EXPECT_EQ(change_.events.size(), events);
  ASSERT_TRUE(RequestResume(change_, kNow + absl::Hours(1)).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(change_.record.queued_since, kNow + absl::Hours(1));
  ASSERT_TRUE(RequestResume(change_, kNow).ok()) << "a repeat is no error";
}

TEST_F(JobVerbsTest, AHeldJobIsPausedWhenItsWorkerHasLetGo) {
  Lease();
  ASSERT_TRUE(RequestPause(change_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_LEASED);
  EXPECT_TRUE(change_.record.job.pause_requested());
  Fail(v1::FAILURE_KIND_PREEMPTED);
  EXPECT_EQ(state(), v1::JOB_STATE_PAUSED);
  EXPECT_FALSE(change_.record.job.pause_requested());
  EXPECT_EQ(change_.record.uncounted_attempts, 1) << "a pause costs no attempt";
}

TEST_F(JobVerbsTest, APauseIsTakenBackWhileTheTrainerRuns) {
  Lease();
  ASSERT_TRUE(RequestPause(change_, kNow).ok());
  ASSERT_TRUE(RequestResume(change_, kNow).ok());
  EXPECT_FALSE(change_.record.job.pause_requested());
  EXPECT_EQ(state(), v1::JOB_STATE_LEASED);
}

TEST_F(JobVerbsTest, AFaultOfTheJobsOwnEndsItAlsoWhenAPauseWasAskedFor) {
  Lease();
  ASSERT_TRUE(RequestPause(change_, kNow).ok());
  Fail(v1::FAILURE_KIND_USER);
  EXPECT_EQ(state(), v1::JOB_STATE_FAILED);
  EXPECT_FALSE(change_.record.job.pause_requested());
}

TEST_F(JobVerbsTest, CancelWinsOverPause) {
  Lease();
  ASSERT_TRUE(RequestPause(change_, kNow).ok());
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  Fail(v1::FAILURE_KIND_PREEMPTED);
  EXPECT_EQ(state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(RequestPause(change_, kNow).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(RequestResume(change_, kNow).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(JobVerbsTest, APausedJobIsCancelled) {
  ASSERT_TRUE(RequestPause(change_, kNow).ok());
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobVerbsTest, AFailedJobIsTriedAgainWithAllItsAttempts) {
  change_.record.job.mutable_spec()->set_max_attempts(1);
  change_.record.job.mutable_checkpoint()->set_blob("checkpoint");
  Lease();
  Fail(v1::FAILURE_KIND_INFRASTRUCTURE);
  ASSERT_EQ(state(), v1::JOB_STATE_FAILED);
  ASSERT_TRUE(RequestRetry(change_, kNow).ok());
  EXPECT_EQ(state(), v1::JOB_STATE_QUEUED);
  const v1::Job& job = change_.record.job;
  EXPECT_FALSE(job.has_failure());
  EXPECT_FALSE(job.has_end_time());
  EXPECT_EQ(job.checkpoint().blob(), "checkpoint") << "it goes on from there";
  EXPECT_TRUE(change_.record.crashed_workers.empty());
  Lease();
  EXPECT_EQ(job.attempt(), 2) << "numbers go on: leases of earlier attempts stay void";
  Fail(v1::FAILURE_KIND_INFRASTRUCTURE);
  EXPECT_EQ(state(), v1::JOB_STATE_FAILED) << "max_attempts counts from the retry";
}

TEST_F(JobVerbsTest, RetryOfACancelledJobForgetsTheCancel) {
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  ASSERT_TRUE(RequestRetry(change_, kNow).ok());
  EXPECT_FALSE(change_.record.job.cancel_requested());
  EXPECT_EQ(RequestRetry(change_, kNow).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(JobVerbsTest, OnlyAnEndedJobIsDeleted) {
  const absl::Status early = RequestDelete(change_, absl::Hours(1), kNow);
  EXPECT_EQ(early.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(early.message()), HasSubstr("cancel it first"));
  ASSERT_TRUE(RequestCancel(change_, kNow).ok());
  ASSERT_TRUE(RequestDelete(change_, absl::Hours(1), kNow).ok());
  EXPECT_EQ(FromProto(change_.record.job.purge_time()), kNow + absl::Hours(1));
  ASSERT_TRUE(RequestDelete(change_, absl::Hours(9), kNow).ok()) << "a repeat is no error";
  EXPECT_EQ(FromProto(change_.record.job.purge_time()), kNow + absl::Hours(1));
  EXPECT_EQ(ErrorReason(RequestRetry(change_, kNow)), "BAD_TRANSITION");
  ASSERT_TRUE(RequestUndelete(change_, kNow).ok());
  EXPECT_FALSE(change_.record.job.has_purge_time());
  EXPECT_TRUE(RequestRetry(change_, kNow).ok());
}

}  // namespace
}  // namespace quantry::server
