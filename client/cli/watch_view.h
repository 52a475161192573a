#ifndef QUANTRY_CLIENT_CLI_WATCH_VIEW_H_
#define QUANTRY_CLIENT_CLI_WATCH_VIEW_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "quantry/v1/event.pb.h"

namespace quantry::client {

// Shows a job's events as they come. Used by one thread.
class WatchView {
 public:
  virtual ~WatchView() = default;

  virtual void OnEvent(const v1::Event& event) = 0;

  // The connection broke; the next try comes after `pause`.
  virtual void OnReconnect(const absl::Status& status, absl::Duration pause) = 0;

  // No more events: leaves the cursor at the start of an empty line.
  virtual void Finish() = 0;
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_WATCH_VIEW_H_
