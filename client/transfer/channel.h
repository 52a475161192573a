#ifndef QUANTRY_CLIENT_TRANSFER_CHANNEL_H_
#define QUANTRY_CLIENT_TRANSFER_CHANNEL_H_

#include <memory>
#include <string>

#include "grpcpp/channel.h"

namespace quantry::client {

// A channel to a Quantry server ("host:port"), unencrypted, with keepalive pings that find a dead
// connection within about 30 s, and quick reconnects (about 1 s apart) after an outage.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_CHANNEL_H_
