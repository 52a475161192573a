#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "absl/time/clock.h"
#include "tests/server/postgres_server.h"
#include "tests/server/rpc/server_fixture.h"
#include "tests/server/sample_spec.h"

// Two servers on one PostgreSQL: any of them takes any call.
namespace quantry::server {
namespace {

class Node final : public ServerFixture {
 public:
  explicit Node(const std::string& database) : ServerFixture("", database) {}

  using ServerFixture::Acquire;
  using ServerFixture::clock_;
  using ServerFixture::Finish;
  using ServerFixture::Get;
  using ServerFixture::Heartbeat;
  using ServerFixture::Register;
  using ServerFixture::Report;
  using ServerFixture::server_;
  using ServerFixture::Submit;
  using ServerFixture::Watch;

 private:
  void TestBody() override {}
};

class SharedDatabaseTest : public testing::Test {
 protected:
  const std::string database_ = PostgresServer::Get().NewDatabase();
  Node first_{database_};
  Node second_{database_};

  // Time passes on both, and both look at the leases.
  void Pass(absl::Duration time) {
    for (Node* node : {&first_, &second_}) {
      node->clock_.Advance(time);
      node->server_->Sweep();
    }
  }
};

TEST_F(SharedDatabaseTest, AWorkerMovesBetweenServers) {
  const std::string name = first_.Submit(SampleSpec());
  first_.Register("w");
  second_.Register("w");
  const v1::Lease lease = second_.Acquire("w").lease();
  ASSERT_EQ(lease.job(), name);
  ASSERT_TRUE(first_.Report("w", lease, 1, {StepEvent(1)}).ok());
  v1::HeartbeatResponse heartbeat;
  for (int i = 0; i < 5; ++i) {  // renewed at one server alone, seen by both
    Pass(absl::Seconds(20));
    ASSERT_TRUE(first_.Heartbeat("w", lease, &heartbeat).ok());
  }
  ASSERT_TRUE(second_.Finish(SuccessOutcome("w", lease)).ok());
  std::vector<v1::Event> events;
  ASSERT_TRUE(first_.Watch(name, 0, &events).ok());
  EXPECT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(SharedDatabaseTest, ALeaseThatNobodyRenewsEndsOnce) {
  const std::string name = first_.Submit(SampleSpec());
  first_.Register("w");
  const v1::Lease lease = first_.Acquire("w").lease();
  for (int i = 0; i < 4; ++i) Pass(absl::Seconds(10));
  const v1::Job job = second_.Get(name);
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  for (Node* node : {&first_, &second_}) {
    EXPECT_EQ(ErrorOf(node->Report("w", lease, 1, {StepEvent(1)})).info.reason(), "STALE_LEASE");
  }
  EXPECT_EQ(job.last_sequence(), 3);  // submitted, leased, queued again
}

TEST_F(SharedDatabaseTest, AJobWakesAWorkerThatWaitsAtAnotherServer) {
  second_.Register("w");
  auto waiting =
      std::async(std::launch::async, [&] { return second_.Acquire("w", absl::Seconds(60)); });
  absl::SleepFor(absl::Milliseconds(200));
  const absl::Time submitted = absl::Now();
  const std::string name = first_.Submit(SampleSpec());
  EXPECT_EQ(waiting.get().lease().job(), name);
  EXPECT_LT(absl::Now() - submitted, absl::Seconds(30));
}

TEST_F(SharedDatabaseTest, AWatcherSeesWhatHappensAtAnotherServer) {
  const std::string name = first_.Submit(SampleSpec());
  auto watching = std::async(std::launch::async, [&] {
    std::vector<v1::Event> events;
    EXPECT_TRUE(second_.Watch(name, 0, &events).ok());
    return events;
  });
  first_.Register("w");
  const v1::Lease lease = first_.Acquire("w").lease();
  ASSERT_TRUE(first_.Report("w", lease, 1, {StepEvent(1)}).ok());
  ASSERT_TRUE(first_.Finish(SuccessOutcome("w", lease)).ok());
  const std::vector<v1::Event> events = watching.get();
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence(), static_cast<int64_t>(i) + 1);
  }
}

TEST_F(SharedDatabaseTest, TwoServersNeverGiveOneJobTwice) {
  constexpr int kJobs = 40;
  for (int i = 0; i < kJobs; ++i) first_.Submit(SampleSpec());
  first_.Register("a");
  second_.Register("b");
  const auto drain = [](Node& node, const std::string& worker) {
    std::vector<std::string> got;
    while (true) {
      const v1::AcquireLeaseResponse answer = node.Acquire(worker);
      if (!answer.has_lease()) return got;
      got.push_back(answer.lease().job());
      EXPECT_TRUE(node.Finish(SuccessOutcome(worker, answer.lease())).ok());
    }
  };
  auto other = std::async(std::launch::async, [&] { return drain(second_, "b"); });
  std::vector<std::string> all = drain(first_, "a");
  for (std::string& name : other.get()) all.push_back(std::move(name));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
  EXPECT_EQ(all.size(), static_cast<size_t>(kJobs));
}

}  // namespace
}  // namespace quantry::server
