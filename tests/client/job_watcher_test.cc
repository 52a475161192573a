#include "client/job_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "client/transfer/channel.h"
#include "tests/client/fake_server.h"
#include "tests/client/sample_job.h"

namespace quantry::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class JobWatcherTest : public testing::Test {
 protected:
  void SetUp() override { server_.AddJob(SampleJob(), SampleEvents()); }

  JobWatchOptions Quick() const {
    JobWatchOptions options;
    options.retry.initial_delay = absl::Milliseconds(1);
    return options;
  }

  absl::Status Watch(const JobWatchOptions& options, const std::string& job = kSampleJob) {
    return JobWatcher(client_, job, options).Run([this](const v1::Event& event) {
      seen_.push_back(event.sequence());
      return true;
    });
  }

  FakeServer server_;
  JobClient client_{MakeChannel(server_.address())};
  std::vector<int64_t> seen_;
};

TEST_F(JobWatcherTest, ReportsEachEventOnceOverBreaks) {
  server_.BreakWatchesAfter({2, 0, 5});
  ASSERT_TRUE(Watch(Quick()).ok());
  EXPECT_THAT(seen_, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(server_.watched_after(), ElementsAre(0, 2, 2, 7));
}

TEST_F(JobWatcherTest, AsksAgainForAnEventThatIsMissing) {
  server_.LeaveOutEvent(4, 1);
  ASSERT_TRUE(Watch(Quick()).ok());
  EXPECT_THAT(seen_, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(JobWatcherTest, EventMissingForGoodIsDataLoss) {
  server_.LeaveOutEvent(4, 1000);
  const absl::Status status = Watch(Quick());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("event 5 of jobs/0abc follows event 3"));
  EXPECT_THAT(seen_, ElementsAre(1, 2, 3));
}

TEST_F(JobWatcherTest, NothingIsLeftAfterTheLastEvent) {
  JobWatchOptions options = Quick();
  options.after_sequence = 10;
  EXPECT_TRUE(Watch(options).ok());
  EXPECT_TRUE(seen_.empty());
}

TEST_F(JobWatcherTest, EndsWhereTheCallerWants) {
  JobWatcher watcher(client_, kSampleJob);
  EXPECT_TRUE(watcher
                  .Run([this](const v1::Event& event) {
                    seen_.push_back(event.sequence());
                    return event.sequence() < 3;
                  })
                  .ok());
  EXPECT_THAT(seen_, ElementsAre(1, 2, 3));
}

TEST_F(JobWatcherTest, UnknownJobIsNotTriedAgain) {
  EXPECT_TRUE(absl::IsNotFound(Watch(Quick(), "jobs/other")));
}

TEST_F(JobWatcherTest, StopEndsAnIdleWatch) {
  server_.AddJob(SampleJob(), {SampleEvents()[0]});
  JobWatcher watcher(client_, kSampleJob);
  absl::Status status;
  std::thread thread([&] { status = watcher.Run([](const v1::Event&) { return true; }); });
  EXPECT_TRUE(server_.AwaitWatches(1));
  watcher.Stop();
  thread.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST_F(JobWatcherTest, GivesUpOnAServerThatIsNotThere) {
  JobWatchOptions options = Quick();
  options.give_up_first_after = absl::Milliseconds(20);
  int reconnects = 0;
  const JobClient nobody(MakeChannel("127.0.0.1:1"));
  const absl::Status status =
      JobWatcher(nobody, kSampleJob, options)
          .Run([](const v1::Event&) { return true; },
               [&reconnects](const absl::Status&, absl::Duration) { ++reconnects; });
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_GT(reconnects, 0);
}

TEST_F(JobWatcherTest, ResumesSoonAfterTheServerIsBack) {
  auto server = std::make_unique<FakeServer>();
  const std::string address = server->address();
  server.reset();
  const JobClient client(MakeChannel(address));
  JobWatchOptions options;
  options.give_up_first_after = absl::Minutes(1);
  int reconnects = 0;
  absl::Time back;
  absl::Duration took = absl::InfiniteDuration();
  const absl::Status status = JobWatcher(client, kSampleJob, options)
                                  .Run(
                                      [&](const v1::Event& event) {
                                        if (event.sequence() == 1) took = absl::Now() - back;
                                        return true;
                                      },
                                      [&](const absl::Status&, absl::Duration) {
                                        if (++reconnects != 4) return;
                                        server = std::make_unique<FakeServer>(address);
                                        server->AddJob(SampleJob(), SampleEvents());
                                        back = absl::Now();
                                      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_LT(took, absl::Seconds(3));
}

TEST(JobNameTest, TakesIdsAndNames) {
  EXPECT_EQ(JobName("0abc").value(), "jobs/0abc");
  EXPECT_EQ(JobName("jobs/0abc").value(), "jobs/0abc");
  for (const char* wrong : {"", "jobs/", "a/b", "jobs/a/b", "a b", "../x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(JobName(wrong).status())) << wrong;
  }
}

}  // namespace
}  // namespace quantry::client
