#include "client/transfer/channel.h"

#include <algorithm>

#include "common/clock.h"
#include "grpc/support/time.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace quantry::client {
namespace {

constexpr absl::Duration kPollSlice = absl::Milliseconds(50);

// On gRPC's monotonic clock, so that a jump of the wall clock can't stretch a wait.
gpr_timespec In(absl::Duration duration) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(duration), GPR_TIMESPAN));
}

}  // namespace

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // Despite its name only the deadline of one connect: a busy server needs more than the back-off.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  return arguments;
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), ChannelArguments());
}

bool WaitForRetry(grpc::Channel& channel, absl::Duration delay,
                  const std::function<bool()>& cancelled) {
  const absl::Duration end = SystemClock().Monotonic() + delay;
  bool was_ready = true;  // a channel that is connected all the time waits for all of `delay`
  while (true) {
    if (cancelled && cancelled()) return false;
    const absl::Duration left = end - SystemClock().Monotonic();
    if (left <= absl::ZeroDuration()) return true;
    const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY && !was_ready) return true;
    was_ready = state == GRPC_CHANNEL_READY;
    channel.WaitForStateChange(state, In(std::min(left, kPollSlice)));
  }
}

}  // namespace quantry::client
