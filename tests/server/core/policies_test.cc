#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/backoff_table.h"
#include "server/core/job_id.h"
#include "server/core/lease_table.h"
#include "server/core/rate_limiter.h"
#include "server/core/retry_policy.h"
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

TEST(LeaseTable, BeatsSeenInTheStoreRenewALease) {
  LeaseTable leases(absl::Seconds(30));
  leases.Grant({.job_id = "j", .epoch = 1, .run_limit = absl::InfiniteDuration()},
               absl::Seconds(0));
  EXPECT_THAT(leases.Observe({{"j", 1, 4}, {"k", 3, 0}}, absl::Seconds(10)), SizeIs(1));
  EXPECT_TRUE(leases.Expired(absl::Seconds(29)).empty()) << "a first look tells nothing";
  leases.Observe({{"j", 1, 5}}, absl::Seconds(20));
  EXPECT_THAT(leases.Expired(absl::Seconds(49)), IsEmpty());
  leases.Observe({{"j", 1, 5}}, absl::Seconds(45));
  EXPECT_THAT(leases.Expired(absl::Seconds(50)), SizeIs(1));
  EXPECT_EQ(leases.Beat("j", 1), 5);
  leases.Observe({}, absl::Seconds(51));
  EXPECT_FALSE(leases.Knows("j", 1));
}

TEST(LeaseTable, ALeaseGrantedSinceTheStoreWasReadStays) {
  LeaseTable leases(absl::Seconds(30));
  leases.Grant({.job_id = "j", .epoch = 2}, absl::Seconds(10));
  leases.Observe({}, absl::Seconds(9));
  EXPECT_TRUE(leases.Knows("j", 2));
  leases.Observe({{"j", 1, 8}}, absl::Seconds(9));
  EXPECT_TRUE(leases.Knows("j", 2)) << "what was read is older";
}

TEST(WorkerTable, BeatsSeenInTheStoreAreSignsOfLife) {
  WorkerTable workers(absl::Seconds(30));
  v1::RegisterWorkerRequest worker;
  worker.set_worker_id("w");
  workers.Observe({{worker, 1, false}}, absl::Seconds(0));
  EXPECT_THAT(workers.Alive(absl::Seconds(1)), IsEmpty()) << "a first look tells nothing";
  workers.Observe({{worker, 2, true}}, absl::Seconds(2));
  ASSERT_THAT(workers.Alive(absl::Seconds(3)), SizeIs(1));
  EXPECT_TRUE(workers.Alive(absl::Seconds(3)).front().draining);
  EXPECT_TRUE(workers.IsBeatDue("w", absl::Seconds(3)));
  EXPECT_FALSE(workers.IsBeatDue("w", absl::Seconds(4)));
  EXPECT_TRUE(workers.IsBeatDue("w", absl::Seconds(11)));
  EXPECT_FALSE(workers.IsBeatDue("other", absl::Seconds(11)));
}

TEST(BackoffTable, AWaitBeginsWhenItIsFirstHeardOf) {
  BackoffTable backoff;
  EXPECT_EQ(backoff.NotBefore("j", 1, 0, absl::Seconds(5)), absl::ZeroDuration());
  EXPECT_EQ(backoff.NotBefore("j", 1, 2, absl::Seconds(5)), absl::Seconds(7));
  EXPECT_EQ(backoff.NotBefore("j", 1, 2, absl::Seconds(6)), absl::Seconds(7));
  EXPECT_EQ(backoff.NotBefore("j", 2, 3, absl::Seconds(9)), absl::Seconds(13));
  backoff.Forget("j");
  EXPECT_EQ(backoff.NotBefore("j", 2, 1, absl::Seconds(20)), absl::Seconds(21));
}

TEST(RateLimiter, FillsUpAgain) {
  RateLimiter limiter(2, 4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(limiter.Take("a", 1, absl::Seconds(1)), absl::Duration());
  EXPECT_EQ(limiter.Take("a", 1, absl::Seconds(1)), absl::Milliseconds(500));
  EXPECT_EQ(limiter.Take("b", 1, absl::Seconds(1)), absl::Duration()) << "each has its own";
  EXPECT_EQ(limiter.Take("a", 1, absl::Seconds(1.5)), absl::Duration());
  EXPECT_EQ(limiter.Take("a", 100, absl::Seconds(60)), absl::Duration())
      << "large, but not for ever";
  EXPECT_GT(limiter.Take("a", 1, absl::Seconds(61)), absl::Seconds(40));
  RateLimiter none(0, 0);
  EXPECT_EQ(none.Take("a", 1e12, absl::Seconds(1)), absl::Duration());
}

}  // namespace
}  // namespace quantry::server
