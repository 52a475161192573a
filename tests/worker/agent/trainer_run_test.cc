#include "worker/agent/trainer_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"

namespace quantry::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Runs fake trainers; `what` they do is in the spec.
class TrainerRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/quantry_trainer_run_XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  TrainerOutcome Run(const std::string& what, int ranks) {
    const std::string spec = absl::StrCat("{\"job\": {\"displayName\": \"", what, "\"}}");
    EXPECT_TRUE(WriteFileAtomically(folder_ / "spec.json", spec).ok());
    const auto outcome = RunTrainer(
        {.trainer = QUANTRY_FAKE_TRAINER,
         .spec_file = folder_ / "spec.json",
         .output_folder = folder_,
         .stop_grace = absl::Seconds(30),
         .ranks = ranks,
         .rank_grace = rank_grace_,
         .stop = [this] { return progressed_ >= 2 && !logs_.empty() ? stop_ : StopRequest::kNone; },
         .on_event = [this](v1::TrainerEvent event) { OnEvent(event); }});
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return *outcome;
  }

  void OnEvent(const v1::TrainerEvent& event) {
    if (event.has_log()) logs_.push_back(event.log().message());
    if (event.has_progress()) ++progressed_;
    if (event.has_checkpoint()) ++checkpoints_;
  }

  std::filesystem::path folder_;
  absl::Duration rank_grace_ = absl::Seconds(30);
  StopRequest stop_ = StopRequest::kNone;  // once ranks 0 and 1 wait
  std::vector<std::string> logs_;
  int progressed_ = 0;
  int checkpoints_ = 0;
};

TEST_F(TrainerRunTest, RanksKnowEachOther) {
  const TrainerOutcome outcome = Run("tell_rank", 3);
  EXPECT_TRUE(outcome.exit.Succeeded());
  ASSERT_TRUE(outcome.result.has_value());
  EXPECT_DOUBLE_EQ(outcome.result->artifact_top1(), 0.5);
  // Each tells of itself on its output; events are those of rank 0 alone.
  const std::string all = absl::StrJoin(logs_, "\n");
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_THAT(all, HasSubstr(absl::StrCat(rank > 0 ? absl::StrCat("[rank ", rank, "] ") : "",
                                            "I am ", rank, " of 3, 3 here, at 127.0.0.1")));
  }
  EXPECT_EQ(progressed_, 1);
}

TEST_F(TrainerRunTest, OneProcessIsToldThatItIsAlone) {
  ASSERT_EQ(setenv("WORLD_SIZE", "7", 1), 0);  // of whatever started the worker
  ASSERT_EQ(setenv("RANK", "5", 1), 0);
  const TrainerOutcome outcome = Run("tell_rank", 1);
  unsetenv("WORLD_SIZE");
  unsetenv("RANK");
  EXPECT_TRUE(outcome.exit.Succeeded());
  EXPECT_THAT(absl::StrJoin(logs_, "\n"), HasSubstr("I am 0 of 1, 1 here"));
}

TEST_F(TrainerRunTest, AKilledRankIsTheCause) {
  const TrainerOutcome outcome = Run("rank1_is_killed", 2);
  ASSERT_TRUE(outcome.failure.has_value());
  EXPECT_EQ(outcome.failure->kind(), v1::FAILURE_KIND_INFRASTRUCTURE);
  EXPECT_EQ(outcome.failure->reason(), "RANK_LOST");
  EXPECT_THAT(outcome.failure->message(), StartsWith("rank 1 of 2 ended with signal 9"));
  EXPECT_FALSE(outcome.result.has_value());
}

TEST_F(TrainerRunTest, OthersAreKilledWhenTheyDoNotEnd) {
  rank_grace_ = absl::Milliseconds(200);
  const TrainerOutcome outcome = Run("rank1_aborts_others_hang", 3);
  ASSERT_TRUE(outcome.failure.has_value());
  EXPECT_EQ(outcome.failure->reason(), "RANK_LOST");
  EXPECT_THAT(outcome.failure->message(), StartsWith("rank 1 of 3 ended with signal 6"));
  EXPECT_THAT(outcome.failure->last_words(), HasSubstr("about to abort"));
}

TEST_F(TrainerRunTest, TheFailureOfTheRankThatFailedByItself) {
  const TrainerOutcome outcome = Run("rank1_fails", 2);
  ASSERT_TRUE(outcome.failure.has_value());
  EXPECT_EQ(outcome.failure->kind(), v1::FAILURE_KIND_USER);
  EXPECT_EQ(outcome.failure->reason(), "MODEL_INVALID");
  EXPECT_EQ(outcome.failure->message(), "rank 1 of 2: the model is no model");
}

TEST_F(TrainerRunTest, AllAreToldToStop) {
  stop_ = StopRequest::kTerminate;
  const TrainerOutcome outcome = Run("hang", 2);
  EXPECT_EQ(outcome.asked, StopRequest::kTerminate);
  EXPECT_EQ(outcome.exit.code, kTrainerInterrupted);
  EXPECT_FALSE(outcome.failure.has_value());
  EXPECT_EQ(checkpoints_, 1);
}

}  // namespace
}  // namespace quantry::agent
