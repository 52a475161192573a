#ifndef QUANTRY_CLIENT_CLI_PLAIN_WATCH_VIEW_H_
#define QUANTRY_CLIENT_CLI_PLAIN_WATCH_VIEW_H_

#include <optional>
#include <ostream>

#include "absl/time/time.h"
#include "client/cli/watch_view.h"

namespace quantry::client {

// For files and pipes: a line per event worth reading. Of progress, what begins a phase, and then a
// line each ten seconds of the events' time.
class PlainWatchView final : public WatchView {
 public:
  // `out` outlives this.
  explicit PlainWatchView(std::ostream& out) : out_(out) {}

  void OnEvent(const v1::Event& event) override;
  void OnReconnect(const absl::Status& status, absl::Duration pause) override;
  void Finish() override {}

 private:
  bool ShouldShow(const v1::Progress& progress, absl::Time time);

  std::ostream& out_;
  std::optional<v1::Progress> shown_;
  absl::Time shown_time_;
  bool disconnected_ = false;
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_PLAIN_WATCH_VIEW_H_
