#include "worker/trainer/progress.h"

#include <gtest/gtest.h>

#include "tests/worker/trainer/recording_sink.h"

namespace quantry::trainer {
namespace {

class ManualClock : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + now; }
  absl::Duration Monotonic() const override { return now; }
  absl::Duration now = absl::Seconds(100);
};

TEST(ProgressReporterTest, SendsOnceASecondWithMeansSinceTheLast) {
  RecordingSink sink;
  ManualClock clock;
  ProgressReporter reporter(sink, clock);
  reporter.SetPlan(/*training_steps=*/100, /*evaluation_batches=*/0);
  reporter.Begin(v1::PHASE_TRAINING, "", 100);
  ASSERT_EQ(sink.events.size(), 1u);
  EXPECT_FALSE(sink.events[0].progress().has_eta_seconds());
  for (int step = 1; step <= 4; ++step) {
    clock.now += absl::Milliseconds(250);
    reporter.Advance({.steps_done = step,
                      .images = 10,
                      .epoch = 1,
                      .epochs = 2,
                      .loss = static_cast<double>(step),
                      .top1_hits = 5.0,
                      .learning_rate = 0.1});
  }
  ASSERT_EQ(sink.events.size(), 2u);
  const v1::Progress& progress = sink.events[1].progress();
  EXPECT_EQ(progress.step(), 4);
  EXPECT_EQ(progress.steps(), 100);
  EXPECT_EQ(progress.epoch(), 1);
  EXPECT_DOUBLE_EQ(progress.images_per_second(), 40.0);
  EXPECT_DOUBLE_EQ(progress.loss(), 2.5);
  EXPECT_DOUBLE_EQ(progress.top1(), 0.5);
  EXPECT_NEAR(progress.eta_seconds(), 96 * 0.25, 1e-9);
}

TEST(ProgressReporterTest, SaysHowLongDataWasWaitedForAndWhatTheReaderCouldDeliver) {
  RecordingSink sink;
  ManualClock clock;
  ProgressReporter reporter(sink, clock);
  reporter.Begin(v1::PHASE_TRAINING, "", 100);
  DataState data{.stats = {.examples = 100, .decode_seconds = 1.0, .threads = 2}, .corrupt = 1};
  const auto advance = [&](int64_t step) {
    clock.now += absl::Seconds(2);
    reporter.Advance({.steps_done = step, .images = 10, .loss = 1.0}, data);
  };
  advance(1);
  EXPECT_FALSE(sink.events.back().progress().has_data_wait_share()) << "nothing to compare with";
  data.stats.examples += 30;
  data.stats.decode_seconds += 0.5;
  data.stats.wait_seconds += 0.5;
  data.corrupt = 3;
  advance(2);
  const v1::Progress& progress = sink.events.back().progress();
  EXPECT_DOUBLE_EQ(progress.data_wait_share(), 0.25);
  EXPECT_DOUBLE_EQ(progress.reader_images_per_second(), 120.0);  // 30 * 2 threads / 0.5 s
  EXPECT_EQ(progress.corrupt(), 3);
  EXPECT_TRUE(progress.has_loss());
  EXPECT_FALSE(progress.has_top1()) << "not every task has it";
}

TEST(ProgressReporterTest, TheEndOfAPhaseIsAlwaysSent) {
  RecordingSink sink;
  ManualClock clock;
  ProgressReporter reporter(sink, clock);
  reporter.Begin(v1::PHASE_EVALUATING, "float", 2);
  reporter.Advance({.steps_done = 1, .images = 4});
  reporter.Advance({.steps_done = 2, .images = 4});
  EXPECT_EQ(sink.events.size(), 1u);
  reporter.End();
  reporter.End();
  ASSERT_EQ(sink.events.size(), 2u);
  EXPECT_EQ(sink.events[1].progress().step(), 2);
  EXPECT_EQ(sink.events[1].progress().subject(), "float");
}

}  // namespace
}  // namespace quantry::trainer
