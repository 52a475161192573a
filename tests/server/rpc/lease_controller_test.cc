#include "server/rpc/lease_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <utility>

#include "server/core/error_details.h"
#include "server/rpc/job_controller.h"
#include "server/store/memory_blob_store.h"
#include "server/store/sql_job_store.h"
#include "tests/server/fake_clock.h"
#include "tests/server/forwarding_job_store.h"
#include "tests/server/sample_spec.h"
#include "tests/server/temp_folder.h"

// What happens between the steps of a call, which tests through gRPC can't reach.
namespace quantry::server {
namespace {

// Runs `after_next_update`, once, when a change is stored and before its caller knows.
class HookedStore final : public ForwardingJobStore {
 public:
  using ForwardingJobStore::ForwardingJobStore;

  std::function<void()> after_next_update;

  absl::StatusOr<JobRecord> Update(const std::string& id, Mutation mutation) override {
    absl::StatusOr<JobRecord> record = ForwardingJobStore::Update(id, mutation);
    if (const auto hook = std::exchange(after_next_update, nullptr)) hook();
    return record;
  }
};

class LeaseControllerTest : public testing::Test {
 protected:
  LeaseControllerTest() {
    Register("a");
    Register("b");
  }

  void Register(const std::string& worker_id) {
    v1::RegisterWorkerRequest request;
    request.set_worker_id(worker_id);
    v1::Device& device = *request.add_devices();
    device.set_id("cpu");
    device.set_kind("cpu");
    EXPECT_TRUE(leases_.RegisterWorker(request).ok());
  }
  std::string Submit() {
    v1::CreateJobRequest request;
    *request.mutable_spec() = SampleSpec();
    return jobs_.CreateJob(request, Anyone()).value().name();
  }
  v1::JobState StateOf(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    return jobs_.GetJob(request, Anyone()).value().state();
  }
  absl::StatusOr<v1::AcquireLeaseResponse> Acquire(
      const std::string& worker_id, absl::Duration wait = absl::ZeroDuration(),
      const std::function<bool()>& is_cancelled = [] { return false; }) {
    v1::AcquireLeaseRequest request;
    request.set_worker_id(worker_id);
    request.set_device("cpu");
    *request.mutable_wait() = ToProto(wait);
    return leases_.AcquireLease(request, is_cancelled);
  }
  absl::Status ReportStep(const std::string& worker_id, const v1::Lease& lease) {
    v1::ReportEventsRequest request;
    request.set_worker_id(worker_id);
    *request.mutable_lease() = lease;
    request.set_first_number(1);
    request.add_events()->mutable_progress()->set_step(1);
    return leases_.ReportEvents(request).status();
  }
  // How many jobs the metrics say have ended in this state.
  uint64_t Ended(const std::string& state) {
    for (const auto& family : state_.metrics.registry()->Collect()) {
      if (family.name != "quantry_job_run_time_seconds") continue;
      for (const auto& metric : family.metric) {
        if (metric.label.front().value == state) return metric.histogram.sample_count;
      }
    }
    return 0;
  }

  const TempFolder folder_;
  const std::unique_ptr<SqlJobStore> sqlite_ =
      *SqlJobStore::OpenSqlite(folder_.path() / "quantry.db");
  HookedStore store_{*sqlite_};
  MemoryBlobStore blobs_;
  FakeClock clock_;
  ControlState state_{store_, blobs_, clock_, absl::Seconds(30)};
  LeaseController leases_{state_};
  JobController jobs_{state_, absl::Hours(1), 1};
};

TEST_F(LeaseControllerTest, AnOlderCallLeavesWhatTheNewerOneGotAlone) {
  std::string name;
  int looks = 0;
  const auto old = Acquire("a", absl::Seconds(60), [&] {
    if (++looks != 2) return false;
    // The worker has lost its connection and asks again, while this call waits on.
    name = Submit();
    const auto work = Acquire("a");
    EXPECT_EQ(work.value().lease().job(), name);
    EXPECT_TRUE(ReportStep("a", work->lease()).ok());
    return false;
  });
  EXPECT_EQ(old.status().code(), absl::StatusCode::kAborted) << old.status();
  EXPECT_EQ(ErrorReason(old.status()), "NEWER_CALL");
  EXPECT_EQ(StateOf(name), v1::JOB_STATE_RUNNING);
}

TEST_F(LeaseControllerTest, TwoCallsOfOneDeviceGetOneJob) {
  const std::string first = Submit();
  const std::string second = Submit();
  std::future<absl::StatusOr<v1::AcquireLeaseResponse>> again;
  store_.after_next_update = [&] {
    again = std::async(std::launch::async, [&] { return Acquire("a"); });
    // The lease is stored but not yet in the table of those that are live.
    again.wait_for(std::chrono::milliseconds(50));
  };
  EXPECT_EQ(Acquire("a").value().lease().job(), first);
  const auto repeated = again.get();
  EXPECT_EQ(repeated.value().lease().job(), first);
  EXPECT_EQ(repeated->lease().epoch(), 1);
  EXPECT_EQ(StateOf(second), v1::JOB_STATE_QUEUED);
}

TEST_F(LeaseControllerTest, AJobBacksOffFromTheMomentItIsQueuedAgain) {
  Submit();
  v1::FinishAttemptRequest finish;
  finish.set_worker_id("a");
  *finish.mutable_lease() = Acquire("a").value().lease();
  finish.mutable_failure()->set_kind(v1::FAILURE_KIND_INFRASTRUCTURE);
  bool looked = false;
  store_.after_next_update = [&] {
    looked = true;
    EXPECT_FALSE(Acquire("b").value().has_lease());
  };
  ASSERT_TRUE(leases_.FinishAttempt(finish).ok());
  EXPECT_TRUE(looked);
  clock_.Advance(absl::Seconds(1));
  const v1::Lease lease = Acquire("b").value().lease();
  EXPECT_EQ(lease.attempt(), 2);

  ASSERT_TRUE(ReportStep("b", lease).ok());
  looked = false;
  store_.after_next_update = [&] {
    looked = true;
    EXPECT_FALSE(Acquire("a").value().has_lease()) << "after a lease that ran out as well";
  };
  clock_.Advance(absl::Seconds(30));
  Register("a");
  leases_.Sweep();
  EXPECT_TRUE(looked);
}

TEST_F(LeaseControllerTest, EveryEndIsCountedOnce) {
  v1::CancelJobRequest cancel;
  cancel.set_name(Submit());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(jobs_.CancelJob(cancel, Anyone()).ok());
  EXPECT_EQ(Ended("cancelled"), 1u) << "it never ran";

  cancel.set_name(Submit());
  v1::FinishAttemptRequest finish;
  finish.set_worker_id("a");
  *finish.mutable_lease() = Acquire("a").value().lease();
  ASSERT_TRUE(jobs_.CancelJob(cancel, Anyone()).ok());
  EXPECT_EQ(Ended("cancelled"), 1u) << "its worker still holds it";
  finish.set_cancelled(true);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(leases_.FinishAttempt(finish).ok());
  EXPECT_EQ(Ended("cancelled"), 2u);
}

}  // namespace
}  // namespace quantry::server
