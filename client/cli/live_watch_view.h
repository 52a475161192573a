#ifndef QUANTRY_CLIENT_CLI_LIVE_WATCH_VIEW_H_
#define QUANTRY_CLIENT_CLI_LIVE_WATCH_VIEW_H_

#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "client/cli/terminal.h"
#include "client/cli/watch_view.h"

namespace quantry::client {

// For terminals: lines that stay for what is worth reading again, and below them one line with a
// progress bar that is redrawn.
class LiveWatchView final : public WatchView {
 public:
  // `out` outlives this. `terminal` is asked before each drawing, since windows change their size.
  LiveWatchView(std::ostream& out, std::function<Terminal()> terminal);

  void OnEvent(const v1::Event& event) override;
  void OnReconnect(const absl::Status& status, absl::Duration pause) override;
  void Finish() override;

 private:
  void Draw(const std::optional<std::string>& line_above);

  std::ostream& out_;
  const std::function<Terminal()> terminal_;
  std::optional<v1::Progress> progress_;
  std::string notice_;  // takes the bar's place while the connection is lost
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_LIVE_WATCH_VIEW_H_
