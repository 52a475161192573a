#include "client/cli/live_watch_view.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/event_text.h"
#include "client/cli/format.h"
#include "client/cli/text_table.h"

namespace quantry::client {
namespace {

constexpr absl::string_view kEraseLine = "\r\x1b[K";

}  // namespace

LiveWatchView::LiveWatchView(std::ostream& out, std::function<Terminal()> terminal)
    : out_(out), terminal_(std::move(terminal)) {}

void LiveWatchView::OnEvent(const v1::Event& event) {
  notice_.clear();
  if (event.has_progress()) progress_ = event.progress();
  // What a lost attempt had done is no progress of the next one.
  if (event.has_state_change()) progress_.reset();
  std::optional<std::string> line = DescribeEvent(event, terminal_());
  if (line.has_value()) line = absl::StrCat(FormatTimeOfDay(event.time()), "  ", *line);
  Draw(line);
}

void LiveWatchView::OnReconnect(const absl::Status& status, absl::Duration pause) {
  notice_ = absl::StrCat("connection lost, next try in ", FormatElapsed(pause), ": ",
                         SanitizeLine(status.message()));
  Draw(std::nullopt);
}

void LiveWatchView::Finish() {
  progress_.reset();
  notice_.clear();
  Draw(std::nullopt);
}

void LiveWatchView::Draw(const std::optional<std::string>& line_above) {
  const Terminal terminal = terminal_();
  out_ << kEraseLine;
  if (line_above.has_value()) out_ << *line_above << '\n';
  if (!notice_.empty()) {
    out_ << Colored(terminal, Color::kYellow, CutToWidth(notice_, terminal.columns - 1));
  } else if (progress_.has_value()) {
    out_ << ProgressBarLine(*progress_, terminal);
  }
  out_ << std::flush;
}

}  // namespace quantry::client
