// The small parts of the worker: devices, queue, output, judgement, cache.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "common/sha256.h"
#include "worker/agent/blob_cache.h"
#include "worker/agent/checkpoint_uploader.h"
#include "worker/agent/data_folder.h"
#include "worker/agent/devices.h"
#include "worker/agent/event_queue.h"
#include "worker/agent/judgement.h"
#include "worker/agent/output_text.h"

namespace quantry::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/quantry_parts_XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const fs::path& path, const std::string& content) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << content;
  }

  fs::path folder_;
};

class DevicesTest : public FolderTest {
 protected:
  DeviceSources Sources() const {
    return {.nvidia_smi = folder_ / "nvidia-smi",
            .nvidia_gpus = folder_ / "gpus",
            .cpu_info = folder_ / "cpuinfo",
            .memory_info = folder_ / "meminfo"};
  }
};

// A trainer that can use everything.
const std::vector<std::string> kAll = {"cpu", "cuda:0", "cuda:1"};

TEST_F(DevicesTest, CpuWhereThereIsNoGpu) {
  Write("cpuinfo", "processor\t: 0\nmodel name\t: A CPU: fast\n");
  Write("meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n");
  const auto devices = FindDevices("auto", kAll, Sources());
  ASSERT_TRUE(devices.ok());
  ASSERT_EQ(devices->size(), 1);
  EXPECT_EQ(devices->front().id(), "cpu");
  EXPECT_EQ(devices->front().model(), "A CPU: fast");
  EXPECT_EQ(devices->front().memory_bytes(), 2048 * 1024);
}

TEST_F(DevicesTest, GpusOfTheDriverInBusOrder) {
  Write("gpus/0000:81:00.0/information", "Model: \t NVIDIA B\nIRQ: 1\n");
  Write("gpus/0000:01:00.0/information", "Model: \t NVIDIA A\n");
  const auto devices = FindDevices("auto", kAll, Sources());
  ASSERT_TRUE(devices.ok());
  ASSERT_EQ(devices->size(), 2);
  EXPECT_EQ((*devices)[0].id(), "cuda:0");
  EXPECT_EQ((*devices)[0].model(), "NVIDIA A");
  EXPECT_EQ((*devices)[1].id(), "cuda:1");
  EXPECT_EQ((*devices)[1].model(), "NVIDIA B");
}

TEST_F(DevicesTest, NvidiaSmiKnowsTheMemory) {
  Write("nvidia-smi", "#!/bin/sh\necho 'NVIDIA H200, 143771'\necho 'NVIDIA H200, 143771'\n");
  fs::permissions(folder_ / "nvidia-smi", fs::perms::owner_all);
  const auto devices = FindDevices("cuda:1", kAll, Sources());
  ASSERT_TRUE(devices.ok());
  ASSERT_EQ(devices->size(), 1);
  EXPECT_EQ(devices->front().id(), "cuda:1");
  EXPECT_EQ(devices->front().model(), "NVIDIA H200");
  EXPECT_EQ(devices->front().memory_bytes(), int64_t{143771} << 20);
}

TEST_F(DevicesTest, NamesWhatThereIsInsteadOfAMissingGpu) {
  const auto devices = FindDevices("cuda:0", kAll, Sources());
  EXPECT_EQ(devices.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(devices.status().message()), HasSubstr("has 0 GPUs"));
}

TEST_F(DevicesTest, GpusThatTheTrainerCannotUseAreNotOffered) {
  Write("gpus/0000:01:00.0/information", "Model: \t NVIDIA A\n");
  const auto devices = FindDevices("auto", {"cpu"}, Sources());
  ASSERT_TRUE(devices.ok());
  ASSERT_EQ(devices->size(), 1);
  EXPECT_EQ(devices->front().id(), "cpu");
  const auto named = FindDevices("cuda:0", {"cpu"}, Sources());
  EXPECT_THAT(std::string(named.status().message()),
              HasSubstr("has 1 GPUs, and the trainer here can use cpu"));
}

TEST_F(DevicesTest, TheTrainerSaysWhatItCanUse) {
  Write("trainer", "#!/bin/sh\n[ $1 = devices ] && printf 'cpu\\ncuda:0\\n'\n");
  fs::permissions(folder_ / "trainer", fs::perms::owner_all);
  const auto devices = TrainableDevices(folder_ / "trainer");
  ASSERT_TRUE(devices.ok()) << devices.status();
  EXPECT_EQ(*devices, (std::vector<std::string>{"cpu", "cuda:0"}));
  Write("broken", "#!/bin/sh\necho 'no such library' >&2\nexit 127\n");
  fs::permissions(folder_ / "broken", fs::perms::owner_all);
  EXPECT_THAT(std::string(TrainableDevices(folder_ / "broken").status().message()),
              HasSubstr("no such library"));
}

v1::TrainerEvent ProgressEvent(int64_t step) {
  v1::TrainerEvent event;
  event.mutable_progress()->set_step(step);
  return event;
}

v1::TrainerEvent LogEvent(const std::string& message) {
  v1::TrainerEvent event;
  event.mutable_log()->set_message(message);
  return event;
}

TEST(EventQueueTest, KeepsOrderAndBatches) {
  EventQueue queue;
  for (int64_t i = 1; i <= 5; ++i) queue.Push(ProgressEvent(i));
  EXPECT_EQ(queue.Take(3, 1 << 20).size(), 3);
  EXPECT_EQ(queue.Take(10, 1)[0].progress().step(), 4);  // at least one, whatever its size
  queue.Close();
  EXPECT_EQ(queue.Take(10, 1 << 20).size(), 1);
  EXPECT_THAT(queue.Take(10, 1 << 20), IsEmpty());
  EXPECT_EQ(queue.Push(ProgressEvent(6)), 0);
  EXPECT_THAT(queue.Take(10, 1 << 20), IsEmpty());
}

TEST(EventQueueTest, ThinsOutProgressAloneWhenBehind) {
  EventQueue queue(/*thin_above=*/3, /*capacity=*/5);
  int replaced = queue.Push(ProgressEvent(1)) + queue.Push(LogEvent("a"));
  replaced += queue.Push(LogEvent("b"));
  EXPECT_EQ(replaced, 0);
  EXPECT_EQ(queue.Push(ProgressEvent(2)), 1);
  EXPECT_EQ(queue.Push(ProgressEvent(3)), 1);
  EXPECT_FALSE(queue.IsFull());
  queue.Push(LogEvent("c"));
  queue.Push(LogEvent("d"));
  EXPECT_TRUE(queue.IsFull());
  std::vector<std::string> got;
  for (const v1::TrainerEvent& event : queue.Take(10, 1 << 20)) {
    got.push_back(event.has_log() ? event.log().message()
                                  : std::to_string(event.progress().step()));
  }
  EXPECT_THAT(got, ElementsAre("a", "b", "3", "c", "d"));
}

TEST(OutputTextTest, CutsLinesAndKeepsTheEnd) {
  OutputText text;
  EXPECT_THAT(text.Feed("one\ntw"), ElementsAre("one"));
  EXPECT_THAT(text.Feed("o\r\n\nthree"), ElementsAre("two"));
  EXPECT_EQ(text.TakePartialLine(), "three");
  EXPECT_EQ(text.LastWords(), "one\ntwo\r\n\nthree");
  const auto lines = text.Feed(std::string(OutputText::kMaxLineBytes + 10, 'x'));
  ASSERT_EQ(lines.size(), 1);
  EXPECT_EQ(lines[0].size(), OutputText::kMaxLineBytes);
  EXPECT_EQ(text.LastWords(), std::string(OutputText::kLastWordsBytes, 'x'));
}

TrainerOutcome Ended(ExitStatus exit, StopRequest asked = StopRequest::kNone) {
  return {.exit = exit, .asked = asked};
}

TEST(JudgementTest, FirstRuleThatFits) {
  TrainerOutcome good = Ended({.code = 0});
  good.result = v1::Result();
  TrainerOutcome failed = Ended({.code = 1});
  failed.failure = MakeFailure(v1::FAILURE_KIND_USER, "X", "y");
  const TrainerOutcome saved = Ended({.code = kTrainerInterrupted}, StopRequest::kTerminate);
  const TrainerOutcome killed = Ended({.signal = SIGKILL}, StopRequest::kTerminate);
  struct Case {
    TrainerOutcome trainer;
    StopCauses causes;
    AttemptOutcome outcome;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {good, {}, AttemptOutcome::kSucceeded, ""},
      {good, {.cancel_requested = true}, AttemptOutcome::kSucceeded, ""},
      {good, {.lease_lost = true}, AttemptOutcome::kLeaseLost, ""},
      {failed, {}, AttemptOutcome::kFailedUser, "X"},
      {failed, {.shutdown = true}, AttemptOutcome::kFailedUser, "X"},
      {failed, {.cancel_requested = true}, AttemptOutcome::kCancelled, ""},
      {saved, {.cancel_requested = true}, AttemptOutcome::kCancelled, ""},
      {saved, {.shutdown = true}, AttemptOutcome::kPreempted, "WORKER_SHUTDOWN"},
      {killed, {.shutdown = true}, AttemptOutcome::kPreempted, "WORKER_SHUTDOWN"},
      {saved, {}, AttemptOutcome::kPreempted, "TRAINER_INTERRUPTED"},
      {Ended({.signal = SIGSEGV}), {}, AttemptOutcome::kFailedInfrastructure, "TRAINER_CRASHED"},
      {Ended({.code = 0}), {}, AttemptOutcome::kFailedInfrastructure, "TRAINER_CRASHED"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const Judgement judgement = JudgeTrainer(cases[i].trainer, cases[i].causes);
    EXPECT_EQ(judgement.outcome, cases[i].outcome) << "case " << i;
    EXPECT_EQ(judgement.failure.value_or(v1::Failure()).reason(), cases[i].reason) << "case " << i;
  }
}

using BlobCacheTest = FolderTest;

TEST_F(BlobCacheTest, RemovesTheLeastRecentlyUsed) {
  fs::create_directory(folder_ / "cache");
  BlobCache cache(folder_ / "cache", 25);
  int links = 0;
  const auto get = [&](const std::string& content) {
    bool hit = false;
    const absl::Status status = cache.LinkTo(
        Sha256Hex(content), folder_ / std::to_string(++links),
        [&](const std::string&, const fs::path& path) {
          std::ofstream(path) << content;
          return absl::OkStatus();
        },
        &hit);
    EXPECT_TRUE(status.ok()) << status;
    return hit;
  };
  EXPECT_FALSE(get("aaaaaaaaaa"));
  EXPECT_FALSE(get("bbbbbbbbbb"));
  // File times may be as coarse as a clock tick: order them by hand.
  fs::last_write_time(folder_ / "cache" / Sha256Hex("bbbbbbbbbb"),
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_TRUE(get("aaaaaaaaaa"));
  EXPECT_FALSE(get("cccccccccc"));
  EXPECT_TRUE(get("aaaaaaaaaa"));
  EXPECT_FALSE(fs::exists(folder_ / "cache" / Sha256Hex("bbbbbbbbbb")));
  EXPECT_TRUE(fs::exists(folder_ / "2"));  // who uses it still has it
}

TEST_F(BlobCacheTest, FailedFetchIsToldAndLeavesNothing) {
  fs::create_directory(folder_ / "cache");
  BlobCache cache(folder_ / "cache", 25);
  bool hit = false;
  const auto fail = [](const std::string&, const fs::path&) {
    return absl::UnavailableError("away");
  };
  EXPECT_EQ(cache.LinkTo(Sha256Hex("a"), folder_ / "x", fail, &hit).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(cache.LinkTo("../escape", folder_ / "x", fail, &hit).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

using CheckpointUploaderTest = FolderTest;

TEST_F(CheckpointUploaderTest, IsIdleWhenAllThatWasOfferedIsStored) {
  Write("checkpoint.qckpt", "state");
  std::promise<void> go;
  std::vector<int64_t> stored;
  CheckpointUploader uploader(
      folder_,
      [wait = go.get_future().share()](const fs::path&) -> absl::StatusOr<std::string> {
        wait.wait();
        return "hash";
      },
      [&](const v1::CheckpointSaved& event, absl::Duration) { stored.push_back(event.step()); });
  EXPECT_TRUE(uploader.WaitUntilIdle(absl::ZeroDuration()));
  v1::CheckpointSaved event;
  event.set_step(1);
  ASSERT_TRUE(uploader.Offer(event, folder_ / "checkpoint.qckpt").ok());
  EXPECT_FALSE(uploader.WaitUntilIdle(absl::Milliseconds(5)));
  go.set_value();
  EXPECT_TRUE(uploader.WaitUntilIdle(absl::Minutes(1)));
  EXPECT_THAT(stored, ElementsAre(1));
  EXPECT_FALSE(fs::exists(folder_ / "checkpoint.1.upload"));
}

using DataFolderTest = FolderTest;

TEST_F(DataFolderTest, AttemptFoldersStayInside) {
  const auto folder = DataFolder::Open(folder_);
  ASSERT_TRUE(folder.ok()) << folder.status();
  v1::Lease lease;
  lease.set_job("jobs/abc");
  lease.set_attempt(2);
  EXPECT_EQ((*folder)->MakeAttemptFolder(lease).value(), folder_ / "jobs/abc/2");
  for (const std::string bad : {"jobs/../../etc", "jobs/", "", "jobs/a/b"}) {
    lease.set_job(bad);
    EXPECT_FALSE((*folder)->MakeAttemptFolder(lease).ok()) << bad;
  }
}

TEST_F(DataFolderTest, RefusesAWrongWorkerId) {
  Write("worker-id", "Not A Name\n");
  EXPECT_EQ(DataFolder::Open(folder_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(NewWorkerIdTest, FitsTheContract) {
  EXPECT_THAT(NewWorkerId("My_Host.example"), ::testing::MatchesRegex("my-host-example-[0-9a-f]+"));
  EXPECT_LE(NewWorkerId(std::string(300, 'x')).size(), 63);
}

}  // namespace
}  // namespace quantry::agent
