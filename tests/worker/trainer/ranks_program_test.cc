// quantry-trainer as several processes: whole runs, lost ranks, and going on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/delimited.h"
#include "common/files.h"
#include "common/free_port.h"
#include "common/process.h"
#include "quantry/v1/trainer.pb.h"

namespace quantry::trainer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr absl::Duration kDeadline = absl::Minutes(3);
constexpr char kCheckpoint[] = "checkpoint.qckpt";

// A small network, a checkpoint after every step, 4 steps per epoch.
std::string Spec(int epochs) {
  return absl::StrCat(
      R"({"job": {"mode": "MODE_QAT",
          "model": {"builtin": {"name": "mobilenet_v1", "width": 0.25}},
          "data": {"trainUri": "synthetic://glyphs?classes=4&size=16&train=64&val=16"},
          "training": {"batchSize": 16, "threads": 1, "calibrationBatches": 1,
                       "checkpointSteps": 1, "epochs": )",
      epochs, "}}}");
}

// What the trainer's process `rank` said, read after its end.
std::vector<v1::TrainerEvent> EventsOf(const Process& process) {
  std::string bytes;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(process.message_fd(), buffer, sizeof(buffer))) > 0;) {
    bytes.append(buffer, static_cast<size_t>(count));
  }
  DelimitedParser parser;
  parser.Feed(bytes);
  std::vector<v1::TrainerEvent> events;
  while (true) {
    const auto message = parser.Next();
    if (!message.ok() || !message->has_value()) return events;
    EXPECT_TRUE(events.emplace_back().ParseFromString(**message));
  }
}

std::optional<v1::Failure> FailureIn(const std::vector<v1::TrainerEvent>& events) {
  for (const v1::TrainerEvent& event : events) {
    if (event.has_failure()) return event.failure();
  }
  return std::nullopt;
}

class RanksProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/quantry_ranks_XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void WriteSpec(int epochs) {
    ASSERT_TRUE(WriteFileAtomically(folder_ / "spec.json", Spec(epochs)).ok());
  }

  // Starts all ranks on a port of their own.
  std::vector<std::unique_ptr<Process>> Start(int size) {
    const auto port = FreeTcpPort();
    EXPECT_TRUE(port.ok()) << port.status();
    std::vector<std::unique_ptr<Process>> ranks;
    for (int rank = 0; rank < size; ++rank) {
      auto process = Process::Start(
          {.arguments = {QUANTRY_TRAINER, "--spec", (folder_ / "spec.json").string(), "--output",
                         (folder_ / "output").string(), "--events-fd", "3", "--rank",
                         absl::StrCat(rank), "--world-size", absl::StrCat(size), "--rendezvous",
                         absl::StrCat("127.0.0.1:", *port)},
           .environment = {{"QUANTRY_RENDEZVOUS_TOKEN", "test"}, {"OMP_WAIT_POLICY", "passive"}}});
      EXPECT_TRUE(process.ok()) << process.status();
      ranks.push_back(*std::move(process));
    }
    return ranks;
  }

  bool WaitForCheckpoint() {
    const absl::Time end = absl::Now() + kDeadline;
    while (!fs::exists(folder_ / "output" / kCheckpoint)) {
      if (absl::Now() > end) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }

  void ExpectToGoOn(int size) {
    const auto ranks = Start(size);
    for (const auto& rank : ranks) {
      const auto exit = rank->WaitFor(kDeadline);
      ASSERT_TRUE(exit.has_value());
      EXPECT_TRUE(exit->Succeeded()) << exit->ToString();
    }
    std::string logs;
    for (const v1::TrainerEvent& event : EventsOf(*ranks[0])) {
      if (event.has_log()) absl::StrAppend(&logs, event.log().message(), "\n");
    }
    EXPECT_THAT(logs, HasSubstr("going on from step"));
    EXPECT_TRUE(fs::exists(folder_ / "output" / "model.onnx"));
  }

  fs::path folder_;
};

TEST_F(RanksProgramTest, TwoRanksMakeOneModel) {
  WriteSpec(1);
  const auto ranks = Start(2);
  for (const auto& rank : ranks) {
    const auto exit = rank->WaitFor(kDeadline);
    ASSERT_TRUE(exit.has_value());
    EXPECT_TRUE(exit->Succeeded()) << exit->ToString();
  }
  bool result = false;
  for (const v1::TrainerEvent& event : EventsOf(*ranks[0])) result |= event.has_result();
  EXPECT_TRUE(result);
  // The other one has nothing to say when all goes well.
  EXPECT_TRUE(EventsOf(*ranks[1]).empty());
  const auto report = ReadFile(folder_ / "output" / "report.json");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(*report, HasSubstr("\"ranks\": 2"));
}

// Rank 0 measures layers alone; all train with the bits that it found.
TEST_F(RanksProgramTest, TwoRanksTrainWithMixedPrecision) {
  std::string spec = Spec(1);
  spec.replace(spec.find("MODE_QAT"), 8, "MODE_MIXED_PRECISION");
  spec.insert(spec.rfind("}}"),
              R"(, "mixedPrecision": {"meanWeightBits": 5, "candidateBits": [3, 8]})");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "spec.json", spec).ok());
  const auto ranks = Start(2);
  for (const auto& rank : ranks) {
    const auto exit = rank->WaitFor(kDeadline);
    ASSERT_TRUE(exit.has_value());
    EXPECT_TRUE(exit->Succeeded()) << exit->ToString();
  }
  v1::Result result;
  for (const v1::TrainerEvent& event : EventsOf(*ranks[0])) {
    if (event.has_result()) result = event.result();
  }
  EXPECT_LE(result.mixed_precision().budget_used(), 5);
  EXPECT_GT(result.mixed_precision().budget_used(), 3);
  EXPECT_GT(result.train_seconds(), 0);
  EXPECT_TRUE(fs::exists(folder_ / "output" / "model.onnx"));
}

TEST_F(RanksProgramTest, AKilledRankEndsTheOtherAndOneGoesOn) {
  WriteSpec(8);
  auto ranks = Start(2);
  ASSERT_TRUE(WaitForCheckpoint());
  ranks[1]->Signal(SIGKILL);
  const auto exit = ranks[0]->WaitFor(kDeadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 1) << exit->ToString();
  const auto failure = FailureIn(EventsOf(*ranks[0]));
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->reason(), "RANK_LOST");
  EXPECT_EQ(failure->kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
  EXPECT_THAT(failure->message(), HasSubstr("rank 1 of 2 was lost"));
  ranks.clear();
  ExpectToGoOn(1);
}

TEST_F(RanksProgramTest, TheLeadersDeathEndsTheOtherAndTwoGoOn) {
  WriteSpec(8);
  auto ranks = Start(2);
  ASSERT_TRUE(WaitForCheckpoint());
  ranks[0]->Signal(SIGKILL);
  const auto exit = ranks[1]->WaitFor(kDeadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 1) << exit->ToString();
  const auto failure = FailureIn(EventsOf(*ranks[1]));
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->reason(), "RANK_LOST");
  EXPECT_THAT(failure->message(), HasSubstr("rank 0 of 2 was lost"));
  ranks.clear();
  ExpectToGoOn(2);
}

// A signal to one rank alone stops both, with a checkpoint.
TEST_F(RanksProgramTest, OneSignalStopsAll) {
  WriteSpec(500);
  const auto ranks = Start(2);
  ASSERT_TRUE(WaitForCheckpoint());
  ranks[1]->Signal(SIGTERM);
  for (const auto& rank : ranks) {
    const auto exit = rank->WaitFor(kDeadline);
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->code, 3) << exit->ToString();
  }
}

TEST_F(RanksProgramTest, ModesWithoutTrainingAreForOneProcess) {
  std::string spec = Spec(1);
  spec.replace(spec.find("MODE_QAT"), 8, "MODE_PTQ");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "spec.json", spec).ok());
  const auto ranks = Start(2);
  const auto exit = ranks[0]->WaitFor(kDeadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 1);
  const auto failure = FailureIn(EventsOf(*ranks[0]));
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->reason(), "RANKS_INVALID");
  EXPECT_EQ(failure->kind(), v1::FAILURE_KIND_USER);
}

}  // namespace
}  // namespace quantry::trainer
