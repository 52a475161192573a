#ifndef QUANTRY_CLIENT_CLI_TRANSFER_BAR_H_
#define QUANTRY_CLIENT_CLI_TRANSFER_BAR_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "client/cli/terminal.h"
#include "common/clock.h"

namespace quantry::client {

// Progress of one upload or download: a bar that is redrawn ten times a second on a terminal,
// nothing elsewhere. Erases itself when destroyed.
class TransferBar {
 public:
  // `out` and `clock` outlive this. `label`: what moves, "model.onnx".
  TransferBar(std::ostream& out, const Terminal& terminal, std::string label,
              const Clock& clock = SystemClock());
  ~TransferBar();
  TransferBar(const TransferBar&) = delete;
  TransferBar& operator=(const TransferBar&) = delete;

  void Update(int64_t done, int64_t total);

 private:
  std::ostream& out_;
  const Terminal terminal_;
  const std::string label_;
  const Clock& clock_;
  const absl::Duration start_;
  std::optional<int64_t> first_done_;  // bytes that were there before this transfer
  absl::Duration drawn_ = -absl::InfiniteDuration();
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_TRANSFER_BAR_H_
