#include "worker/engine/distributed/rendezvous.h"

#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

constexpr int kMaxRanks = 1024;
constexpr int kMaxPort = 65535;

}  // namespace

absl::Status RankOptions::Validate() const {
  if (size < 1 || size > kMaxRanks) {
    return absl::InvalidArgumentError(
        absl::StrCat("world size is ", size, "; allowed: 1 to ", kMaxRanks));
  }
  if (rank < 0 || rank >= size) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank is ", rank, "; allowed: 0 to ", size - 1, ", below the world size"));
  }
  if (device != "cpu" && device != "cuda") {
    return absl::InvalidArgumentError(
        absl::StrCat("device is '", device, "'; allowed: 'cpu', 'cuda'"));
  }
  if (size == 1) return absl::OkStatus();
  if (host.empty()) {
    return absl::InvalidArgumentError(
        "the rendezvous has no host; give HOST:PORT where rank 0 can be reached");
  }
  if (port < 1 || port > kMaxPort) {
    return absl::InvalidArgumentError(
        absl::StrCat("the rendezvous port is ", port, "; allowed: 1 to ", kMaxPort));
  }
  if (join_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "join timeout is ", absl::FormatDuration(join_timeout), "; it must be longer than 0 s"));
  }
  if (silence < absl::Seconds(2)) {
    return absl::InvalidArgumentError(
        absl::StrCat("silence is ", absl::FormatDuration(silence), "; it must be at least 2 s"));
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
