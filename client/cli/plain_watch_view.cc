#include "client/cli/plain_watch_view.h"

#include <string>

#include "client/cli/event_text.h"
#include "client/cli/format.h"

namespace quantry::client {
namespace {

constexpr absl::Duration kProgressInterval = absl::Seconds(10);

}  // namespace

void PlainWatchView::OnEvent(const v1::Event& event) {
  disconnected_ = false;
  std::optional<std::string> line = DescribeEvent(event, Terminal());
  if (event.has_progress() && ShouldShow(event.progress(), ToTime(event.time()))) {
    line = DescribeProgress(event.progress());
  }
  if (line.has_value()) out_ << FormatDateTime(event.time()) << "  " << *line << '\n' << std::flush;
}

bool PlainWatchView::ShouldShow(const v1::Progress& progress, absl::Time time) {
  const bool same_phase = shown_.has_value() && shown_->phase() == progress.phase() &&
                          shown_->subject() == progress.subject();
  if (same_phase && time - shown_time_ < kProgressInterval) return false;
  shown_ = progress;
  shown_time_ = time;
  return true;
}

void PlainWatchView::OnReconnect(const absl::Status& status, absl::Duration) {
  // Once per outage: the tries that fail after the first say nothing new.
  if (!disconnected_) {
    out_ << "connection lost, connecting again: " << SanitizeLine(status.message()) << '\n'
         << std::flush;
  }
  disconnected_ = true;
}

}  // namespace quantry::client
