#include "server/store/job_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"
#include "server/core/job_filter.h"
#include "server/core/job_lifecycle.h"
#include "server/core/job_verbs.h"
#include "server/store/sql_job_store.h"
#include "tests/server/postgres_server.h"
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
  return SubmitJob(Id(number), "default", spec, "model", kNow);
}

JobChange Named(int number, const std::string& name_space, const std::string& display_name,
                const std::map<std::string, std::string>& labels = {}, int32_t priority = 0) {
  v1::JobSpec spec = SampleSpec();
  spec.set_display_name(display_name);
  spec.set_priority(priority);
  for (const auto& [key, value] : labels) (*spec.mutable_labels())[key] = value;
  return SubmitJob(Id(number), name_space, spec, "", kNow + absl::Seconds(number));
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
    record.backoff = 3;
    record.uncounted_attempts = 2;
    record.lease_beat = 11;
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
  EXPECT_EQ(read->backoff, 3);
  EXPECT_EQ(read->uncounted_attempts, 2);
  EXPECT_EQ(read->lease_beat, 11);
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
  EXPECT_THAT(Ids(store_->List({.after = JobQuery::After{.id = Id(4)}, .limit = 2}).value()),
              ElementsAre(Id(3), Id(2)));
  ASSERT_TRUE(
      store_->Update(Id(2), [](JobChange& change) { return RequestCancel(change, kNow); }).ok());
  EXPECT_THAT(Ids(store_->List({.states = {v1::JOB_STATE_CANCELLED}}).value()), ElementsAre(Id(2)));
  const std::vector<v1::JobState> repeats(1'000'000, v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(Ids(store_->List({.states = repeats}).value()), ElementsAre(Id(2)));
  EXPECT_THAT(
      Ids(store_->List({.states = {v1::JOB_STATE_QUEUED}, .after = JobQuery::After{.id = Id(3)}})
              .value()),
      ElementsAre(Id(1)));
}

TEST_P(JobStoreContract, QueueIsByPriorityThenAgeAndDevice) {
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  ASSERT_TRUE(store_->Create(NewJob(2, 5), std::nullopt).ok());
  ASSERT_TRUE(store_->Create(NewJob(3, 5, "cuda"), std::nullopt).ok());
  ASSERT_TRUE(store_->Create(NewJob(4, -1, "cpu"), std::nullopt).ok());
  const DeviceView cpu{.id = "cpu", .kind = "cpu"};
  const DeviceView gpu{.id = "cuda:0", .kind = "cuda"};
  EXPECT_THAT(Ids(store_->Queued(&cpu, 10).value()), ElementsAre(Id(2), Id(1), Id(4)));
  EXPECT_THAT(Ids(store_->Queued(&gpu, 2).value()), ElementsAre(Id(2), Id(3)));
  EXPECT_THAT(Ids(store_->Queued(nullptr, 10).value()), ElementsAre(Id(2), Id(3), Id(1), Id(4)));
  EXPECT_EQ(store_->CountAhead(QueueRank(5, kNow)).value(), 0);
  EXPECT_EQ(store_->CountAhead(QueueRank(0, kNow)).value(), 2);
  EXPECT_EQ(store_->CountAhead(QueueRank(-1, kNow)).value(), 3);
}

TEST_P(JobStoreContract, TheQueueShowsTheFirstOfEachNamespace) {
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store_->Create(Named(i, "many", ""), {}).ok());
  ASSERT_TRUE(store_->Create(Named(6, "few", ""), {}).ok());
  EXPECT_THAT(Ids(store_->Queued(nullptr, 2).value()), ElementsAre(Id(6), Id(1), Id(2)));
  EXPECT_EQ(store_->CountQueued("many").value(), 5);
  EXPECT_EQ(store_->CountQueued("none").value(), 0);
}

TEST_P(JobStoreContract, TheQueueKnowsDevicesMemoryAndDeadlines) {
  v1::JobSpec spec = SampleSpec();
  spec.mutable_resources()->set_device_memory_bytes(100);
  spec.mutable_queue_deadline()->set_seconds(1);
  ASSERT_TRUE(store_->Create(SubmitJob(Id(1), "default", spec, "", kNow), {}).ok());
  ASSERT_TRUE(store_->Create(NewJob(2), {}).ok());
  const DeviceView small{.id = "cuda:0", .kind = "cuda", .memory_bytes = 99};
  const DeviceView large{.id = "cuda:0", .kind = "cuda", .memory_bytes = 100};
  EXPECT_THAT(Ids(store_->Queued(&small, 9).value()), ElementsAre(Id(2)));
  EXPECT_THAT(Ids(store_->Queued(&large, 9).value()), ElementsAre(Id(1), Id(2)));
  EXPECT_EQ(store_->Queued(&large, 9)->front().device_memory_bytes, 100);
  EXPECT_THAT(store_->QueuedWithDeadline().value(), ElementsAre(Id(1)));
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
  EXPECT_EQ(workers->front().registration.hostname(), "new");
  EXPECT_TRUE(store_->SetDraining("w1", true).value());
  EXPECT_FALSE(store_->SetDraining("w2", true).value());
  EXPECT_TRUE(store_->Workers()->front().draining);
}

TEST_P(JobStoreContract, FiltersByEveryField) {
  ASSERT_TRUE(store_->Create(Named(1, "red", "first", {{"team", "vision"}}, 5), {}).ok());
  ASSERT_TRUE(store_->Create(Named(2, "blue", "100%_sure", {{"team", "speech"}}), {}).ok());
  ASSERT_TRUE(store_->Create(Named(3, "red", "third", {{"stage", "x"}}, -5), {}).ok());
  ASSERT_TRUE(store_->Update(Id(3), [](JobChange& c) { return RequestCancel(c, kNow); }).ok());
  const auto find = [&](const std::string& text) {
    const auto filter = ParseJobFilter(text);
    EXPECT_TRUE(filter.ok()) << filter.status();
    return Ids(store_->List({.filter = *filter}).value());
  };
  EXPECT_THAT(find("state = QUEUED"), ElementsAre(Id(2), Id(1)));
  EXPECT_THAT(find("state != QUEUED"), ElementsAre(Id(3)));
  EXPECT_THAT(find("mode = QAT AND namespace = red"), ElementsAre(Id(3), Id(1)));
  EXPECT_THAT(find("labels.team = vision"), ElementsAre(Id(1)));
  EXPECT_THAT(find("labels.team != vision"), ElementsAre(Id(3), Id(2)));
  EXPECT_THAT(find("labels:team"), ElementsAre(Id(2), Id(1)));
  EXPECT_THAT(find("NOT labels:team"), ElementsAre(Id(3)));
  EXPECT_THAT(find("labels.team:spee"), ElementsAre(Id(2)));
  EXPECT_THAT(find("display_name:\"0%_s\""), ElementsAre(Id(2)));
  EXPECT_THAT(find("display_name:\"%\""), ElementsAre(Id(2)));
  EXPECT_THAT(find("priority >= 0"), ElementsAre(Id(2), Id(1)));
  EXPECT_THAT(find("priority < 0 OR display_name = first"), ElementsAre(Id(3), Id(1)));
  EXPECT_THAT(find("create_time > \"2023-11-14T22:13:21Z\""), ElementsAre(Id(3), Id(2)));
  EXPECT_THAT(find("display_name = \"'; DROP TABLE jobs; --\""), IsEmpty());
  EXPECT_THAT(Ids(store_->List({.namespaces = {"blue", "green"}}).value()), ElementsAre(Id(2)));
}

TEST_P(JobStoreContract, OrdersByAFieldInPages) {
  ASSERT_TRUE(store_->Create(Named(1, "a", "b", {}, 1), {}).ok());
  ASSERT_TRUE(store_->Create(Named(2, "a", "a", {}, 7), {}).ok());
  ASSERT_TRUE(store_->Create(Named(3, "a", "b", {}, 1), {}).ok());
  const JobOrder by_name{.field = JobField::kDisplayName, .descending = false};
  EXPECT_THAT(Ids(store_->List({.order = by_name}).value()), ElementsAre(Id(2), Id(1), Id(3)));
  const JobQuery::After first{.id = Id(1), .text = "b"};
  EXPECT_THAT(Ids(store_->List({.order = by_name, .after = first}).value()), ElementsAre(Id(3)));
  const JobOrder by_priority{.field = JobField::kPriority, .descending = true};
  EXPECT_THAT(Ids(store_->List({.order = by_priority}).value()), ElementsAre(Id(2), Id(3), Id(1)));
  const JobQuery::After second{.id = Id(3), .number = 1};
  EXPECT_THAT(Ids(store_->List({.order = by_priority, .after = second}).value()),
              ElementsAre(Id(1)));
  EXPECT_THAT(Ids(store_->List({.order = {.descending = false}}).value()),
              ElementsAre(Id(1), Id(2), Id(3)));
}

TEST_P(JobStoreContract, DeletedJobsAreHiddenThenPurged) {
  const JobStore::RequestKey key{"request", "body"};
  ASSERT_TRUE(store_->Create(Named(1, "a", "x", {{"team", "t"}}), key).ok());
  ASSERT_TRUE(store_->Create(NewJob(2), std::nullopt).ok());
  ASSERT_TRUE(store_
                  ->Update(Id(1),
                           [](JobChange& change) {
                             EXPECT_TRUE(RequestCancel(change, kNow).ok());
                             return RequestDelete(change, absl::Hours(1), kNow);
                           })
                  .ok());
  EXPECT_THAT(Ids(store_->List({}).value()), ElementsAre(Id(2)));
  EXPECT_THAT(Ids(store_->List({.show_deleted = true}).value()), ElementsAre(Id(2), Id(1)));
  EXPECT_TRUE(store_->Get(Id(1)).ok());
  EXPECT_THAT(store_->Purge(kNow + absl::Minutes(59), 10).value(), IsEmpty());
  EXPECT_THAT(store_->Purge(kNow + absl::Hours(1), 10).value(), ElementsAre(Id(1)));
  EXPECT_EQ(store_->Get(Id(1)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Events(Id(1), 0, 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Create(NewJob(3), key)->id, Id(3));
}

TEST_P(JobStoreContract, ABlobThatAJobNeedsIsNotRemoved) {
  const auto with_blob = [](int number) {
    return SubmitJob(Id(number), "default", SampleSpec(), "blob", kNow);
  };
  ASSERT_TRUE(store_->Create(with_blob(1), std::nullopt).ok());
  EXPECT_TRUE(store_->IsReferenced("blob").value());
  EXPECT_FALSE(store_->BeginBlobRemoval("blob").value());
  EXPECT_FALSE(store_->IsReferenced("other").value());
  EXPECT_TRUE(store_->BeginBlobRemoval("other").value());
  const auto late = store_->Update(Id(1), [](JobChange& change) {
    change.record.job.mutable_checkpoint()->set_blob("other");
    return AddLog(change);
  });
  EXPECT_EQ(ErrorReason(late.status()), "BLOB_MISSING") << late.status();
  EXPECT_THAT(store_->Events(Id(1), 0, 10).value(), SizeIs(1));
  ASSERT_TRUE(store_->EndBlobRemoval("other").ok());
  EXPECT_TRUE(store_
                  ->Update(Id(1),
                           [](JobChange& change) {
                             change.record.job.mutable_checkpoint()->set_blob("other");
                             return AddLog(change);
                           })
                  .ok());
  EXPECT_FALSE(store_->BeginBlobRemoval("other").value());
}

TEST_P(JobStoreContract, LeasesShowTheirBeats) {
  ASSERT_TRUE(store_->Create(NewJob(1), std::nullopt).ok());
  EXPECT_THAT(store_->Leases().value(), IsEmpty());
  ASSERT_TRUE(
      store_->Update(Id(1), [](JobChange& c) { return LeaseJob(c, "w", "cpu", kNow); }).ok());
  ASSERT_TRUE(store_->BeatLease(Id(1), 1).ok());
  ASSERT_TRUE(store_->BeatLease(Id(1), 2).ok());  // no such lease
  const auto leases = store_->Leases().value();
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_EQ(leases[0].job_id, Id(1));
  EXPECT_EQ(leases[0].epoch, 1);
  EXPECT_EQ(leases[0].beat, 1);
  EXPECT_EQ(store_->Get(Id(1))->lease_beat, 1);
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
                         testing::Values(Implementation{"Sqlite",
                                                        [](const std::filesystem::path& folder) {
                                                          return *SqlJobStore::OpenSqlite(
                                                              folder / "quantry.db");
                                                        }},
                                         Implementation{"Postgres",
                                                        [](const std::filesystem::path&) {
                                                          return *SqlJobStore::OpenPostgres(
                                                              PostgresServer::Get().NewDatabase());
                                                        }}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace quantry::server
