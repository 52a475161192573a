#ifndef QUANTRY_SERVER_RPC_TLS_H_
#define QUANTRY_SERVER_RPC_TLS_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/grpcpp.h"

namespace quantry::server {

// Files of PEM; they are read again within seconds of a change.
struct TlsFiles {
  std::filesystem::path certificate;  // the server's, with the chain behind it; empty: no TLS
  std::filesystem::path key;
  // Of those who sign client certificates; empty: clients show none.
  std::filesystem::path client_ca;

  bool enabled() const { return !certificate.empty(); }
};

// Credentials for a listening port: TLS from the files, or none. Clients may show a certificate
// where client_ca is given, and are refused if it is not signed by it. INVALID_ARGUMENT, naming the
// file, for one that can't be read or used.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files);

// Whether only this machine can reach HOST:PORT.
bool IsLoopback(absl::string_view address);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_TLS_H_
