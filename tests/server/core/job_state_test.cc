#include "server/core/job_state.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr JobTrigger kTriggers[] = {JobTrigger::kLease, JobTrigger::kStart,   JobTrigger::kSucceed,
                                    JobTrigger::kFail,  JobTrigger::kRequeue, JobTrigger::kCancel,
                                    JobTrigger::kPause, JobTrigger::kResume,  JobTrigger::kRetry,
                                    JobTrigger::kExpire};

// Every state with every trigger: allowed exactly where the table has a row.
TEST(JobState, OnlyTheTablesStepsAreAllowed) {
  int allowed = 0;
  for (int number = v1::JobState_MIN; number <= v1::JobState_MAX; ++number) {
    const auto from = static_cast<v1::JobState>(number);
    for (const JobTrigger trigger : kTriggers) {
      const auto next = NextJobState(from, trigger, "jobs/x");
      if (next.ok()) {
        ++allowed;
        EXPECT_TRUE(!IsTerminal(from) || trigger == JobTrigger::kRetry) << JobStateName(from);
      } else {
        EXPECT_EQ(next.status().code(), absl::StatusCode::kFailedPrecondition);
        EXPECT_EQ(ErrorReason(next.status()), "BAD_TRANSITION");
      }
    }
  }
  EXPECT_EQ(allowed, static_cast<int>(kJobTransitions.size()));
}

TEST(JobState, EachRowOfTheTableIsTaken) {
  std::set<std::pair<v1::JobState, JobTrigger>> seen;
  for (const JobTransition& row : kJobTransitions) {
    EXPECT_TRUE(seen.insert({row.from, row.trigger}).second) << JobStateName(row.from);
    EXPECT_EQ(NextJobState(row.from, row.trigger, "jobs/x").value(), row.to);
  }
}

TEST(JobState, NamesAndKinds) {
  EXPECT_EQ(JobStateName(v1::JOB_STATE_QUEUED), "QUEUED");
  EXPECT_TRUE(IsHeld(v1::JOB_STATE_LEASED));
  EXPECT_TRUE(IsHeld(v1::JOB_STATE_RUNNING));
  EXPECT_FALSE(IsHeld(v1::JOB_STATE_QUEUED));
  EXPECT_TRUE(IsTerminal(v1::JOB_STATE_CANCELLED));
}

}  // namespace
}  // namespace quantry::server
