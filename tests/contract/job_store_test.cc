#include "server/store/job_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"
#include "server/core/job_lifecycle.h"
#include "server/store/memory_job_store.h"
#include "server/store/sqlite_job_store.h"
#include "tests/server/sample_spec.h"
#include "tests/server/temp_folder.h"

// What every JobStore must do.
namespace quantry::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

std::string Id(int number) {
  return absl::StrCat("00000000000000000", absl::Dec(number, absl::kZeroPad3));
}

JobChange NewJob(int number, int32_t priority = 0, const std::string& device_kind = "") {
  v1::JobSpec spec = SampleSpec();
  spec.set_priority(priority);
  spec.mutable_resources()->set_device_kind(device_kind);
  return SubmitJob(Id(number), spec, "model", kNow);
}

std::vector<std::string> Ids(const std::vector<JobRecord>& records) {
  std::vector<std::string> ids;
  for (const JobRecord& record : records) ids.push_back(record.id);
  return ids;
}

std::vector<std::string> Ids(const std::vector<QueuedJob>& jobs) {
  std::vector<std::string> ids;
  for (const QueuedJob& job : jobs) ids.push_back(job.id);
  return ids;
}

absl::Status AddLog(JobChange& change) {
  v1::Event event;
  event.mutable_log()->set_message("hello");
  change.Add(std::move(event), kNow);
  return absl::OkStatus();
}

// Makes stores that keep their content in `folder`, if they keep it at all.
using Factory = std::function<std::unique_ptr<JobStore>(const std::filesystem::path& folder)>;
struct Implementation {
  std::string name;
  Factory make;
};

class JobStoreContract : public testing::TestWithParam<Implementation> {
 protected:
  TempFolder folder_;
  std::unique_ptr<JobStore> store_ = GetParam().make(folder_.path());
};

TEST_P(JobStoreContract, KeepsEveryFieldOfARecord) {
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  const auto updated = store_->Update(Id(1), [](JobChange& change) {
    JobRecord& record = change.record;
    record.model_blob = "blob";
    record.finished_epoch = 6;
    record.crashed_workers = {"w1", "w2"};
    record.run_time = absl::Seconds(9);
    return LeaseJob(change, "w3", "cuda:1", kNow + absl::Seconds(5));
  });
  ASSERT_TRUE(updated.ok()) << updated.status();
  const auto read = store_->Get(Id(1));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->job.SerializeAsString(), updated->job.SerializeAsString());
  EXPECT_EQ(read->job.state(), v1::JOB_STATE_LEASED);
  EXPECT_EQ(read->model_blob, "blob");
  EXPECT_EQ(read->lease_epoch, 1);
  EXPECT_EQ(read->lease_device, "cuda:1");
  EXPECT_EQ(read->finished_epoch, 6);
  EXPECT_EQ(read->next_event_number, 1);
  EXPECT_THAT(read->crashed_workers, ElementsAre("w1", "w2"));
  EXPECT_EQ(read->queued_since, kNow);
  EXPECT_EQ(read->attempt_start, kNow + absl::Seconds(5));
  EXPECT_EQ(read->run_time, absl::Seconds(9));
}

TEST_P(JobStoreContract, UnknownJobIsNotFound) {
  EXPECT_EQ(store_->Get(Id(1)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Update(Id(1), AddLog).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Events(Id(1), 0, 10).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(JobStoreContract, EventsAreNumberedWithoutGaps) {
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store_->Update(Id(1), AddLog).ok());
  const auto all = store_->Events(Id(1), 0, 100);
  ASSERT_TRUE(all.ok());
  ASSERT_THAT(*all, SizeIs(5));
  for (size_t i = 0; i < all->size(); ++i) EXPECT_EQ((*all)[i].sequence(), i + 1);
  const auto some = store_->Events(Id(1), 2, 2);
  ASSERT_TRUE(some.ok());
  ASSERT_THAT(*some, SizeIs(2));
  EXPECT_EQ((*some)[0].sequence(), 3);
  EXPECT_THAT(store_->Events(Id(1), 5, 10).value(), IsEmpty());
}

TEST_P(JobStoreContract, AFailedUpdateLeavesNothing) {
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  const auto failed = store_->Update(Id(1), [](JobChange& change) {
    AddLog(change).IgnoreError();
    change.record.model_blob = "other";
    return absl::AbortedError("no");
  });
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_->Get(Id(1))->model_blob, "model");
  EXPECT_THAT(store_->Events(Id(1), 0, 10).value(), SizeIs(1));
}

TEST_P(JobStoreContract, RefusesEventsWithAGap) {
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  const auto gap = store_->Update(Id(1), [](JobChange& change) {
    change.record.job.set_last_sequence(7);
    return AddLog(change);
  });
  EXPECT_EQ(gap.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(store_->Events(Id(1), 0, 10).value(), SizeIs(1));
}

TEST_P(JobStoreContract, ARepeatedRequestReturnsTheFirstJob) {
  const JobStore::RequestKey key{"request", "body"};
  ASSERT_TRUE(store_->Create(NewJob(1), key).ok());
  const auto repeat = store_->Create(NewJob(2), key);
  ASSERT_TRUE(repeat.ok());
  EXPECT_EQ(repeat->id, Id(1));
  EXPECT_EQ(store_->Get(Id(2)).status().code(), absl::StatusCode::kNotFound);
  const auto other = store_->Create(NewJob(3), JobStore::RequestKey{"request", "another body"});
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(other.status()), "REQUEST_ID_REUSED");
}

TEST_P(JobStoreContract, ListsNewestFirstInPages) {
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store_->Create(NewJob(i), std::nullopt).ok());
  EXPECT_THAT(Ids(store_->List({.limit = 2}).value()), ElementsAre(Id(5), Id(4)));
  EXPECT_THAT(Ids(store_->List({.before_id = Id(4), .limit = 2}).value()),
              ElementsAre(Id(3), Id(2)));
  ASSERT_TRUE(
      store_->Update(Id(2), [](JobChange& change) { return RequestCancel(change, kNow); }).ok());
  EXPECT_THAT(Ids(store_->List({.states = {v1::JOB_STATE_CANCELLED}}).value()), ElementsAre(Id(2)));
  const std::vector<v1::JobState> repeats(1'000'000, v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(Ids(store_->List({.states = repeats}).value()), ElementsAre(Id(2)));
  EXPECT_THAT(Ids(store_->List({.states = {v1::JOB_STATE_QUEUED}, .before_id = Id(3)}).value()),
              ElementsAre(Id(1)));
}

TEST_P(JobStoreContract, QueueIsByPriorityThenAgeAndDevice) {
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  ASSERT_TRUE(store_->Create(NewJob(2, 5), std::nullopt).ok());
  ASSERT_TRUE(store_->Create(NewJob(3, 5, "cuda"), std::nullopt).ok());
  ASSERT_TRUE(store_->Create(NewJob(4, -1, "cpu"), std::nullopt).ok());
  EXPECT_THAT(Ids(store_->Queued("cpu", 10).value()), ElementsAre(Id(2), Id(1), Id(4)));
  EXPECT_THAT(Ids(store_->Queued("cuda", 2).value()), ElementsAre(Id(2), Id(3)));
  EXPECT_EQ(store_->CountAhead(5, Id(2)).value(), 0);
  EXPECT_EQ(store_->CountAhead(5, Id(3)).value(), 1);
  EXPECT_EQ(store_->CountAhead(0, Id(1)).value(), 2);
  EXPECT_EQ(store_->CountAhead(-1, Id(4)).value(), 3);
}

TEST_P(JobStoreContract, CountsByState) {
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(store_->Create(NewJob(i), std::nullopt).ok());
  ASSERT_TRUE(
      store_->Update(Id(1), [](JobChange& change) { return RequestCancel(change, kNow); }).ok());
  const auto counts = store_->CountByState();
  ASSERT_TRUE(counts.ok());
  EXPECT_THAT(*counts, ElementsAre(std::pair(v1::JOB_STATE_QUEUED, 2),
                                   std::pair(v1::JOB_STATE_CANCELLED, 1)));
}

TEST_P(JobStoreContract, KeepsWorkers) {
  v1::RegisterWorkerRequest worker;
  worker.set_worker_id("w1");
  worker.set_hostname("old");
  ASSERT_TRUE(store_->PutWorker(worker).ok());
  worker.set_hostname("new");
  ASSERT_TRUE(store_->PutWorker(worker).ok());
  const auto workers = store_->Workers();
  ASSERT_TRUE(workers.ok());
  ASSERT_THAT(*workers, SizeIs(1));
  EXPECT_EQ(workers->front().hostname(), "new");
}

// Many writers at once: the failures of some must not touch the others.
TEST_P(JobStoreContract, ConcurrentWritersDoNotDisturbEachOther) {
  constexpr int kThreads = 8;
  constexpr int kWrites = 25;
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const JobStore::RequestKey key{"same", "body"};
      EXPECT_TRUE(store_->Create(NewJob(100 + t), key).ok());
      for (int i = 0; i < kWrites; ++i) {
        EXPECT_TRUE(store_->Update(Id(1), AddLog).ok());
        EXPECT_FALSE(store_
                         ->Update(Id(1),
                                  [](JobChange& change) {
                                    AddLog(change).IgnoreError();
                                    return absl::AbortedError("no");
                                  })
                         .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(store_->Events(Id(1), 0, 10'000).value(), SizeIs(1 + kThreads * kWrites));
  EXPECT_THAT(store_->List({}).value(), SizeIs(2));
}

INSTANTIATE_TEST_SUITE_P(Stores, JobStoreContract,
                         testing::Values(Implementation{"Memory",
                                                        [](const std::filesystem::path&) {
                                                          return std::make_unique<MemoryJobStore>();
                                                        }},
                                         Implementation{"Sqlite",
                                                        [](const std::filesystem::path& folder) {
                                                          return *SqliteJobStore::Open(
                                                              folder / "quantry.db");
                                                        }}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace quantry::server
