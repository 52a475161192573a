#ifndef QUANTRY_CLIENT_TRANSFER_CHANNEL_OPTIONS_H_
#define QUANTRY_CLIENT_TRANSFER_CHANNEL_OPTIONS_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"

namespace quantry::client {

// How a server is reached.
struct ChannelOptions {
  std::string address;  // "host:port"

  bool tls = false;  // encrypted; also where one of the files is given
  // PEM files; those of a certificate are read again when they change.
  std::filesystem::path tls_ca;    // of who signs the server's certificate; empty: the system's
  std::filesystem::path tls_cert;  // this client's certificate, and its key; empty: none
  std::filesystem::path tls_key;

  std::string token;                 // the bearer token; empty: none
  std::filesystem::path token_file;  // instead: a file that holds it, read again when it changes

  bool UsesTls() const { return tls || !tls_ca.empty() || !tls_cert.empty(); }
};

// A channel as MakeChannel makes it, encrypted and with credentials as `options` say. No connection
// is made yet. INVALID_ARGUMENT, naming the file, for one that can't be read, and for a token that
// would travel to another machine in plain text.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelOptions& options);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_CHANNEL_OPTIONS_H_
