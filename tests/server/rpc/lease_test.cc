#include <gmock/gmock.h>

#include <future>

#include "tests/server/rpc/server_fixture.h"
#include "tests/server/sample_spec.h"

// Leases: who holds one, who has lost it, and what is left of it after a restart.
namespace quantry::server {
namespace {

using ::testing::SizeIs;

class LeaseTest : public ServerFixture {
 protected:
  LeaseTest() {
    Register("a");
    name_ = Submit(SampleSpec());
  }
  std::string ReasonOf(const grpc::Status& status) { return ErrorOf(status).info.reason(); }

  std::string name_;
};

TEST_F(LeaseTest, AnExpiredLeaseChangesNothingAnyMore) {
  Register("b");
  const v1::Lease old = Acquire("a").lease();
  ASSERT_TRUE(Report("a", old, 1, {StepEvent(1)}).ok());
  clock_.Advance(absl::Seconds(20));
  v1::HeartbeatResponse beat;
  ASSERT_TRUE(Heartbeat("a", old, &beat).ok());
  clock_.JumpWall(absl::Hours(1));
  clock_.Advance(absl::Seconds(20));
  server_->Sweep();
  EXPECT_EQ(Get(name_).state(), v1::JOB_STATE_RUNNING) << "renewed, and wall time does not count";
  clock_.Advance(absl::Seconds(10));
  server_->Sweep();
  EXPECT_EQ(Get(name_).state(), v1::JOB_STATE_QUEUED);
  EXPECT_FALSE(Acquire("b").has_lease()) << "the job backs off";
  clock_.Advance(absl::Seconds(2));
  Register("b");
  const v1::AcquireLeaseResponse work = Acquire("b");
  ASSERT_TRUE(work.has_lease());
  EXPECT_EQ(work.lease().attempt(), 2);
  EXPECT_GT(work.lease().epoch(), old.epoch());

  EXPECT_EQ(ReasonOf(Heartbeat("a", old, &beat)), "STALE_LEASE");
  EXPECT_EQ(ReasonOf(Report("a", old, 2, {StepEvent(9)})), "STALE_LEASE");
  EXPECT_EQ(ReasonOf(Finish(SuccessOutcome("a", old))), "STALE_LEASE");
  EXPECT_EQ(ReasonOf(Report("a", work.lease(), 1, {StepEvent(9)})), "STALE_LEASE");
  EXPECT_EQ(Get(name_).state(), v1::JOB_STATE_LEASED);
  EXPECT_FALSE(Get(name_).has_progress());
  EXPECT_TRUE(Report("b", work.lease(), 1, {StepEvent(2)}).ok());
}

TEST_F(LeaseTest, NothingIsAcceptedOnceTheLeaseHasRunOutEvenBeforeTheSweep) {
  const v1::Lease lease = Acquire("a").lease();
  clock_.Advance(absl::Seconds(30));
  EXPECT_EQ(ReasonOf(Report("a", lease, 1, {StepEvent(1)})), "STALE_LEASE");
  EXPECT_EQ(ReasonOf(Finish(SuccessOutcome("a", lease))), "STALE_LEASE");
  v1::HeartbeatResponse beat;
  EXPECT_EQ(ReasonOf(Heartbeat("a", lease, &beat)), "STALE_LEASE");
}

TEST_F(LeaseTest, APoisonJobFailsAfterMaxAttempts) {
  v1::FinishAttemptRequest finish;
  for (int attempt = 1; attempt <= 5; ++attempt) {
    const v1::AcquireLeaseResponse work = Acquire("a");
    ASSERT_TRUE(work.has_lease()) << attempt;
    EXPECT_EQ(work.lease().attempt(), attempt);
    ASSERT_TRUE(Finish(FailureOutcome("a", work.lease(), v1::FAILURE_KIND_INFRASTRUCTURE)).ok());
    clock_.Advance(absl::Seconds(20));
  }
  EXPECT_EQ(Get(name_).state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(Get(name_).failure().kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
}

TEST_F(LeaseTest, TheNextAttemptGoesOnFromTheLatestCheckpoint) {
  const v1::Lease lease = Acquire("a").lease();
  v1::TrainerEvent saved;
  saved.mutable_checkpoint()->set_blob(std::string(64, '0'));
  saved.mutable_checkpoint()->set_size_bytes(5);
  EXPECT_EQ(ReasonOf(Report("a", lease, 1, {saved})), "BLOB_MISSING");
  saved.mutable_checkpoint()->set_blob(StoreBlob("state"));
  ASSERT_TRUE(Report("a", lease, 1, {saved}).ok());
  ASSERT_TRUE(Finish(FailureOutcome("a", lease, v1::FAILURE_KIND_PREEMPTED)).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Acquire("a").checkpoint_blob(), saved.checkpoint().blob());
}

TEST_F(LeaseTest, AServerRestartGivesLeasesAFullDuration) {
  const v1::Lease lease = Acquire("a").lease();
  clock_.Advance(absl::Seconds(29));
  RestartServer();
  clock_.Advance(absl::Seconds(29));
  server_->Sweep();
  v1::HeartbeatResponse beat;
  ASSERT_TRUE(Heartbeat("a", lease, &beat).ok()) << "the worker need not register again";
  ASSERT_TRUE(Report("a", lease, 1, {StepEvent(1)}).ok());
  ASSERT_TRUE(Finish(SuccessOutcome("a", lease)).ok());
  EXPECT_EQ(Get(name_).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(LeaseTest, AnswersThatWereLostAreGivenAgain) {
  const v1::AcquireLeaseResponse first = Acquire("a");
  const v1::AcquireLeaseResponse again = Acquire("a");
  EXPECT_EQ(again.lease().epoch(), first.lease().epoch());
  EXPECT_EQ(again.lease().attempt(), 1);
}

TEST_F(LeaseTest, AWorkerThatRestartedLosesWhatItRan) {
  const v1::Lease lease = Acquire("a").lease();
  ASSERT_TRUE(Report("a", lease, 1, {StepEvent(1)}).ok());
  EXPECT_FALSE(Acquire("a").has_lease()) << "the job backs off";
  EXPECT_EQ(Get(name_).state(), v1::JOB_STATE_QUEUED);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Acquire("a").lease().attempt(), 2);
}

TEST_F(LeaseTest, AJobThatRunsTooLongFails) {
  v1::JobSpec spec = SampleSpec();
  spec.mutable_run_deadline()->set_seconds(25);
  spec.set_priority(1);
  const std::string name = Submit(spec);
  ASSERT_EQ(Acquire("a").lease().job(), name);
  clock_.Advance(absl::Seconds(24));
  server_->Sweep();
  EXPECT_EQ(Get(name).state(), v1::JOB_STATE_LEASED);
  clock_.Advance(absl::Seconds(1));
  server_->Sweep();
  EXPECT_EQ(Get(name).state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(Get(name).failure().reason(), "RUN_DEADLINE_EXCEEDED");
}

TEST_F(LeaseTest, AWaitingWorkerGetsAJobAsSoonAsItComes) {
  ASSERT_TRUE(Finish(SuccessOutcome("a", Acquire("a").lease())).ok());
  auto waiting = std::async(std::launch::async, [&] { return Acquire("a", absl::Seconds(60)); });
  const std::string name = Submit(SampleSpec());
  EXPECT_EQ(waiting.get().lease().job(), name);
}

TEST_F(LeaseTest, UnknownWorkersAndDevicesAreTold) {
  v1::HeartbeatResponse beat;
  const grpc::Status unknown = Heartbeat("nobody", v1::Lease(), &beat);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(unknown), "WORKER_NOT_FOUND");
  grpc::ClientContext context;
  v1::AcquireLeaseRequest request;
  request.set_worker_id("a");
  request.set_device("cuda:7");
  v1::AcquireLeaseResponse response;
  EXPECT_EQ(ReasonOf(workers_->AcquireLease(&context, request, &response)), "UNKNOWN_DEVICE");
}

}  // namespace
}  // namespace quantry::server
