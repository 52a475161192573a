#ifndef QUANTRY_CLIENT_TRANSFER_CHANNEL_H_
#define QUANTRY_CLIENT_TRANSFER_CHANNEL_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "grpcpp/channel.h"

namespace quantry::client {

// Keepalive pings that find a dead connection within about 30 s. A refused connect is tried again
// within about 1 s, one that is not answered after 5 s; but see WaitForRetry.
grpc::ChannelArguments ChannelArguments();

// A channel to a Quantry server ("host:port"), unencrypted and without credentials, with
// ChannelArguments. OpenChannel makes others.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

// Waits before a failed call is repeated: for `delay`, or until a channel that had no connection
// has one. Unlike a sleep it lets the channel connect meanwhile: gRPC notices how a connect ended
// only while some thread polls, and otherwise lets it run into its time-out. Looks at `cancelled`
// (may be null) every 50 ms. False: it was cancelled.
bool WaitForRetry(grpc::Channel& channel, absl::Duration delay,
                  const std::function<bool()>& cancelled);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_CHANNEL_H_
