#ifndef QUANTRY_CLIENT_CLI_JSON_WATCH_VIEW_H_
#define QUANTRY_CLIENT_CLI_JSON_WATCH_VIEW_H_

#include <ostream>

#include "client/cli/json_output.h"
#include "client/cli/watch_view.h"

namespace quantry::client {

// For scripts: every event as one line of JSON.
class JsonWatchView final : public WatchView {
 public:
  // `out` outlives this.
  explicit JsonWatchView(std::ostream& out) : out_(out) {}

  void OnEvent(const v1::Event& event) override { out_ << ToJsonLine(event) << '\n' << std::flush; }
  void OnReconnect(const absl::Status&, absl::Duration) override {}
  void Finish() override {}

 private:
  std::ostream& out_;
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_JSON_WATCH_VIEW_H_
