#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "client/cli/live_watch_view.h"
#include "client/cli/plain_watch_view.h"
#include "client/cli/transfer_bar.h"
#include "tests/client/sample_job.h"

namespace quantry::client {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

LiveWatchView MakeLive(std::ostream& out, bool color = false) {
  const Terminal terminal{.interactive = true, .color = color, .columns = 80};
  return LiveWatchView(out, [terminal] { return terminal; });
}

TEST(LiveWatchViewTest, LinesStayAndTheBarIsRedrawn) {
  std::ostringstream out;
  LiveWatchView view = MakeLive(out);
  view.OnEvent(SampleEvents()[4]);
  EXPECT_THAT(out.str(), HasSubstr("\r\x1b[Ktraining ["));
  EXPECT_THAT(out.str(), Not(HasSubstr("\n")));
  out.str("");
  view.OnEvent(SampleEvents()[8]);
  EXPECT_THAT(out.str(), HasSubstr("WARNING 1 picture skipped\ntraining ["));
  out.str("");
  view.OnEvent(SampleEvents()[9]);
  view.Finish();
  EXPECT_THAT(out.str(), HasSubstr("SUCCEEDED\n"));
  EXPECT_THAT(out.str(), EndsWith("\r\x1b[K"));
}

TEST(LiveWatchViewTest, LostConnectionTakesTheBarsPlace) {
  std::ostringstream out;
  LiveWatchView view = MakeLive(out);
  view.OnEvent(SampleEvents()[4]);
  out.str("");
  view.OnReconnect(absl::UnavailableError("gone"), absl::Seconds(2));
  EXPECT_EQ(out.str(), "\r\x1b[Kconnection lost, next try in 2.0s: gone");
  out.str("");
  view.OnEvent(SampleEvents()[5]);
  EXPECT_THAT(out.str(), HasSubstr("training ["));
}

TEST(LiveWatchViewTest, StatesHaveColours) {
  std::ostringstream out;
  MakeLive(out, /*color=*/true).OnEvent(SampleEvents()[9]);
  EXPECT_THAT(out.str(), HasSubstr("\x1b[32mSUCCEEDED\x1b[0m"));
}

TEST(PlainWatchViewTest, OutagesAreToldOnce) {
  std::ostringstream out;
  PlainWatchView view(out);
  for (int i = 0; i < 3; ++i) view.OnReconnect(absl::UnavailableError("gone"), absl::Seconds(1));
  EXPECT_EQ(out.str(), "connection lost, connecting again: gone\n");
  view.OnEvent(SampleEvents()[0]);
  view.OnReconnect(absl::UnavailableError("again"), absl::Seconds(1));
  EXPECT_THAT(out.str(), EndsWith("connection lost, connecting again: again\n"));
}

TEST(PlainWatchViewTest, ProgressIsThrottledButEachPhaseIsTold) {
  std::ostringstream out;
  PlainWatchView view(out);
  v1::Event event = SampleEvents()[4];
  for (int i = 0; i < 20; ++i) {
    event.mutable_progress()->set_step(i);
    view.OnEvent(event);
    event.mutable_time()->set_seconds(event.time().seconds() + 1);
  }
  event.mutable_progress()->set_phase(v1::PHASE_EXPORTING);
  view.OnEvent(event);
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, HasSubstr("step 10/200"));
  EXPECT_THAT(text, HasSubstr("exporting"));
}

// A clock that moves when it is told to.
class ManualClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + now; }
  absl::Duration Monotonic() const override { return now; }
  absl::Duration now = absl::ZeroDuration();
};

TEST(TransferBarTest, DrawsRateAndErasesItself) {
  std::ostringstream out;
  ManualClock clock;
  {
    TransferBar bar(out, {.interactive = true, .columns = 100}, "model.onnx", clock);
    bar.Update(1 << 20, 4 << 20);
    clock.now = absl::Seconds(1);
    bar.Update(2 << 20, 4 << 20);
    EXPECT_THAT(out.str(), EndsWith("model.onnx [############------------]  50%  2.0 MiB of "
                                    "4.0 MiB  1.0 MiB/s  2.0s left"));
    const std::string before = out.str();
    clock.now += absl::Milliseconds(50);
    bar.Update(3 << 20, 4 << 20);
    EXPECT_EQ(out.str(), before);
  }
  EXPECT_THAT(out.str(), EndsWith("\r\x1b[K"));
}

TEST(TransferBarTest, SilentElsewhere) {
  std::ostringstream out;
  { TransferBar(out, Terminal(), "model.onnx").Update(1, 2); }
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace quantry::client
