#include "client/cli/event_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/text_table.h"
#include "tests/client/sample_job.h"

namespace quantry::client {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const Terminal kPlain;

v1::Progress FullProgress() { return SampleEvents()[4].progress(); }

TEST(EventTextTest, EveryPartFitsOnAWideTerminal) {
  EXPECT_EQ(ProgressBarLine(FullProgress(), {.columns = 200}),
            "training [##----------------------------]   5%  epoch 1/2  step 10/200  1,234 img/s  "
            "loss 0.532  top-1 81.2%  lr 0.01  2m10s left");
  EXPECT_THAT(ProgressBarLine(FullProgress(), {.unicode = true, .columns = 200}),
              StartsWith("training [██░"));
}

TEST(EventTextTest, NoTerminalIsTooNarrow) {
  for (size_t columns = 20; columns < 200; ++columns) {
    const std::string line = ProgressBarLine(FullProgress(), {.unicode = true, .columns = columns});
    EXPECT_LT(DisplayWidth(line), columns) << line;
    EXPECT_THAT(line, HasSubstr("5%"));
  }
  EXPECT_THAT(ProgressBarLine(FullProgress(), {.columns = 60}), HasSubstr("2m10s left"));
}

TEST(EventTextTest, PhaseWithoutStepsHasNoBar) {
  v1::Progress progress;
  progress.set_phase(v1::PHASE_LOADING);
  EXPECT_EQ(ProgressBarLine(progress, kPlain), "loading ...");
  EXPECT_EQ(DescribeProgress(progress), "loading");
}

TEST(EventTextTest, StepsBeyondTheEndAreTheEnd) {
  v1::Progress progress;
  progress.set_phase(v1::PHASE_EVALUATING);
  progress.set_subject("float");
  progress.set_step(300);
  progress.set_steps(200);
  EXPECT_THAT(ProgressBarLine(progress, kPlain), HasSubstr("evaluating float [####"));
  EXPECT_THAT(ProgressBarLine(progress, kPlain), HasSubstr("100%"));
}

TEST(EventTextTest, LostAttemptSaysWhy) {
  v1::Event event;
  v1::StateChange& change = *event.mutable_state_change();
  change.set_state(v1::JOB_STATE_QUEUED);
  change.set_attempt(2);
  change.set_reason("lease expired after 30 s");
  change.mutable_failure()->set_message("the worker was not heard of");
  EXPECT_EQ(DescribeEvent(event, kPlain),
            "QUEUED, attempt 2: lease expired after 30 s (the worker was not heard of)");
}

TEST(EventTextTest, WorkerIsNamedOnce) {
  v1::Event event;
  v1::StateChange& change = *event.mutable_state_change();
  change.set_state(v1::JOB_STATE_LEASED);
  change.set_worker("workers/w1");
  EXPECT_EQ(DescribeEvent(event, kPlain), "LEASED on workers/w1");
  change.set_reason("leased by workers/w1 on cpu");
  EXPECT_EQ(DescribeEvent(event, kPlain), "LEASED: leased by workers/w1 on cpu");
}

TEST(EventTextTest, MetricsOfAnEpoch) {
  v1::Event event;
  v1::Metrics& metrics = *event.mutable_metrics();
  metrics.set_subject("train");
  metrics.set_epoch(3);
  metrics.set_loss(0.25);
  metrics.set_top1(0.9);
  metrics.set_top5(0.99);
  EXPECT_EQ(DescribeEvent(event, kPlain),
            "epoch 3  train       loss 0.25  top-1 90.00%  top-5 99.00%");
}

TEST(EventTextTest, QuietEventsHaveNoLine) {
  EXPECT_EQ(DescribeEvent(SampleEvents()[4], kPlain), std::nullopt);  // progress
  EXPECT_EQ(DescribeEvent(SampleEvents()[7], kPlain), std::nullopt);  // log, INFO
  v1::Event result;
  result.mutable_result();
  EXPECT_EQ(DescribeEvent(result, kPlain), std::nullopt);
}

TEST(EventTextTest, Bars) {
  EXPECT_EQ(Bar(0, 4, kPlain), "----");
  EXPECT_EQ(Bar(0.5, 4, kPlain), "##--");
  EXPECT_EQ(Bar(7, 4, kPlain), "####");
  EXPECT_EQ(Bar(-1, 4, kPlain), "----");
}

}  // namespace
}  // namespace quantry::client
