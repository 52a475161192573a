#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/job_id.h"
#include "server/core/lease_table.h"
#include "server/core/retry_policy.h"
#include "server/core/scheduling.h"
#include "server/core/worker_table.h"

namespace quantry::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(RetryPolicy, OnlyFailuresThatAreNotTheJobsOwnAreTriedAgain) {
  EXPECT_FALSE(ShouldRetry(v1::FAILURE_KIND_USER, 1, 5));
  EXPECT_FALSE(ShouldRetry(v1::FAILURE_KIND_QUOTA, 1, 5));
  EXPECT_TRUE(ShouldRetry(v1::FAILURE_KIND_INFRASTRUCTURE, 4, 5));
  EXPECT_FALSE(ShouldRetry(v1::FAILURE_KIND_INFRASTRUCTURE, 5, 5));
}

TEST(RetryPolicy, WaitsTwiceAsLongEachTimeUpToAMinute) {
  EXPECT_EQ(RetryDelay(1), absl::Seconds(1));
  EXPECT_EQ(RetryDelay(2), absl::Seconds(2));
  EXPECT_EQ(RetryDelay(6), absl::Seconds(32));
  EXPECT_EQ(RetryDelay(7), absl::Seconds(60));
  EXPECT_EQ(RetryDelay(100), absl::Seconds(60));
}

TEST(JobId, IdsGrowEvenWhenTheClockGoesBack) {
  JobIdGenerator ids(7);
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::string last;
  for (const absl::Duration jump : {absl::ZeroDuration(), absl::ZeroDuration(), -absl::Hours(1),
                                    absl::Microseconds(1), absl::Hours(1)}) {
    const std::string id = ids.Next(now + jump);
    EXPECT_GT(id, last);
    EXPECT_EQ(ParseJobName(JobName(id), "name").value(), id);
    last = id;
  }
}

TEST(JobId, RefusesOtherNames) {
  for (const char* name : {"", "jobs/", "jobs/short", "job/00000000000000000001",
                           "jobs/0000000000000000000A", "jobs/000000000000000000011"}) {
    EXPECT_EQ(ParseJobName(name, "name").status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(IsWorkerId("worker-1"));
  EXPECT_FALSE(IsWorkerId(""));
  EXPECT_FALSE(IsWorkerId("Worker"));
  EXPECT_FALSE(IsWorkerId(std::string(64, 'a')));
}

const WorkerView kCpu{.id = "cpu", .device_kinds = {"cpu"}};
const WorkerView kGpu{.id = "gpu", .device_kinds = {"cuda"}};

TEST(Scheduling, PriorityThenAge) {
  const std::vector<QueuedJob> queue = {
      {.id = "3", .priority = 1}, {.id = "1", .priority = 0}, {.id = "2", .priority = 1}};
  EXPECT_EQ(ChooseJob(queue, "cpu", "cpu", {kCpu}, absl::ZeroDuration()), 2u);
}

TEST(Scheduling, OnlyDevicesThatFit) {
  const std::vector<QueuedJob> queue = {{.id = "1", .device_kind = "cuda"}, {.id = "2"}};
  EXPECT_EQ(ChooseJob(queue, "cpu", "cpu", {kCpu}, absl::ZeroDuration()), 1u);
  EXPECT_EQ(ChooseJob(queue, "gpu", "cuda", {kGpu}, absl::ZeroDuration()), 0u);
}

TEST(Scheduling, WaitsForTheBackOff) {
  const std::vector<QueuedJob> queue = {{.id = "1", .not_before = absl::Seconds(5)}};
  EXPECT_EQ(ChooseJob(queue, "cpu", "cpu", {kCpu}, absl::Seconds(4)), std::nullopt);
  EXPECT_EQ(ChooseJob(queue, "cpu", "cpu", {kCpu}, absl::Seconds(5)), 0u);
}

TEST(Scheduling, LeavesACrashedJobToAnotherWorkerIfThereIsOne) {
  const WorkerView other{.id = "other", .device_kinds = {"cpu"}};
  const std::vector<QueuedJob> once = {{.id = "1", .crashed_workers = {"cpu"}}};
  EXPECT_EQ(ChooseJob(once, "cpu", "cpu", {kCpu, other}, absl::ZeroDuration()), std::nullopt);
  EXPECT_EQ(ChooseJob(once, "other", "cpu", {kCpu, other}, absl::ZeroDuration()), 0u);
  EXPECT_EQ(ChooseJob(once, "cpu", "cpu", {kCpu}, absl::ZeroDuration()), 0u);
  const std::vector<QueuedJob> everywhere = {{.id = "1", .crashed_workers = {"cpu", "other"}}};
  EXPECT_EQ(ChooseJob(everywhere, "cpu", "cpu", {kCpu, other}, absl::ZeroDuration()), 0u);
  const std::vector<QueuedJob> cpu_only = {
      {.id = "1", .device_kind = "cpu", .crashed_workers = {"cpu"}}};
  EXPECT_EQ(ChooseJob(cpu_only, "cpu", "cpu", {kCpu, kGpu}, absl::ZeroDuration()), 0u);
}

TEST(Scheduling, SaysWhyAJobWaits) {
  const QueuedJob job{.id = "1", .device_kind = "cuda", .not_before = absl::Seconds(3)};
  const absl::Duration now = absl::ZeroDuration();
  EXPECT_THAT(ExplainWait(job, 0, {}, now), HasSubstr("none is connected"));
  EXPECT_THAT(ExplainWait(job, 0, {kCpu}, now), HasSubstr("cuda"));
  EXPECT_THAT(ExplainWait(job, 0, {kGpu}, now), HasSubstr("3 s"));
  EXPECT_THAT(ExplainWait(job, 2, {kGpu}, absl::Seconds(3)), HasSubstr("2 jobs are ahead"));
  EXPECT_THAT(ExplainWait(job, 0, {kGpu}, absl::Seconds(3)), HasSubstr("next"));
}

TEST(LeaseTable, ALeaseLivesAsLongAsItIsRenewed) {
  LeaseTable leases(absl::Seconds(30));
  leases.Grant({.job_id = "j", .epoch = 2, .run_limit = absl::InfiniteDuration()},
               absl::Seconds(0));
  EXPECT_TRUE(leases.Renew("j", 2, absl::Seconds(29)));
  EXPECT_FALSE(leases.Renew("j", 1, absl::Seconds(29)));
  EXPECT_FALSE(leases.Renew("other", 2, absl::Seconds(29)));
  EXPECT_TRUE(leases.IsLive("j", 2, absl::Seconds(58)));
  EXPECT_THAT(leases.Expired(absl::Seconds(58)), IsEmpty());
  EXPECT_THAT(leases.Expired(absl::Seconds(59)), SizeIs(1));
  EXPECT_FALSE(leases.IsLive("j", 2, absl::Seconds(59)));
  EXPECT_FALSE(leases.Renew("j", 2, absl::Seconds(59))) << "it can't come back to life";
}

TEST(LeaseTable, ANewLeaseIsNotEndedByTheOldOne) {
  LeaseTable leases(absl::Seconds(30));
  const absl::Duration now;
  leases.Grant({.job_id = "j", .epoch = 1, .worker_id = "w", .device = "cpu"}, now);
  leases.Grant({.job_id = "j", .epoch = 2, .worker_id = "v", .device = "cpu"}, now);
  leases.Release("j", 1);
  EXPECT_TRUE(leases.IsLive("j", 2, now));
  EXPECT_FALSE(leases.HeldBy("w", "cpu").has_value());
  EXPECT_EQ(leases.HeldBy("v", "cpu")->epoch, 2);
  EXPECT_FALSE(leases.HeldBy("v", "cuda:0").has_value());
  EXPECT_TRUE(leases.HeldBy("v", "").has_value());
  leases.Release("j", 2);
  EXPECT_FALSE(leases.IsLive("j", 2, now));
}

TEST(LeaseTable, TellsWhoHasRunTooLong) {
  LeaseTable leases(absl::Seconds(30));
  leases.Grant({.job_id = "j", .epoch = 1, .run_limit = absl::Seconds(10)}, absl::Seconds(0));
  EXPECT_THAT(leases.OverRunLimit(absl::Seconds(9)), IsEmpty());
  EXPECT_THAT(leases.OverRunLimit(absl::Seconds(10)), SizeIs(1));
}

TEST(WorkerTable, AliveIsWhoWasHeardOf) {
  WorkerTable workers(absl::Seconds(30));
  v1::RegisterWorkerRequest worker;
  worker.set_worker_id("w");
  worker.add_devices()->set_id("cpu");
  worker.mutable_devices(0)->set_kind("cpu");
  workers.Register(worker, std::nullopt);
  EXPECT_THAT(workers.Alive(absl::Seconds(1)), IsEmpty());
  EXPECT_FALSE(workers.Touch("other", absl::Seconds(1)));
  EXPECT_TRUE(workers.Touch("w", absl::Seconds(1)));
  EXPECT_THAT(workers.Alive(absl::Seconds(31)), SizeIs(1));
  EXPECT_THAT(workers.Alive(absl::Seconds(32)), IsEmpty());
  EXPECT_THAT(workers.All(absl::Seconds(32)), SizeIs(1));
  EXPECT_EQ(workers.FindDevice("w", "cpu")->kind(), "cpu");
  EXPECT_FALSE(workers.FindDevice("w", "cuda:0").has_value());
}

}  // namespace
}  // namespace quantry::server
