#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_HTTP_CLIENT_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_HTTP_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/remote/remote_options.h"

namespace quantry::engine {

// What a request to S3 is signed with (AWS Signature Version 4, by libcurl).
struct S3Signature {
  std::string region;
  std::string access_key;
  std::string secret_key;  // never shown
};

// A GET.
struct HttpRequest {
  std::string url;                   // http:// or https://, encoded
  std::vector<std::string> headers;  // "Name: value"
  std::optional<S3Signature> signature;
  bool follows_redirects = true;  // up to five, never from https to http
};

struct HttpResponse {
  int status = 0;                              // 200
  std::map<std::string, std::string> headers;  // names in lower case; of the last response
  std::string error_body;                      // what came with a status other than 2xx, cut short
  // The header's value, or "".
  std::string Header(const std::string& name) const;
  bool Succeeded() const { return status >= 200 && status < 300; }
};

// Makes requests one after the other, over the same connections where it can. Certificates are
// checked against the system's, or those of the file that SSL_CERT_FILE names; proxies that the
// environment names are not used; addresses that are link-local (a cloud's metadata service) are
// never connected to. Not thread-safe.
class HttpClient {
 public:
  // `options` must outlive the client.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create(const RemoteOptions& options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Called once, before the first byte of a 2xx response's body or at its end. An error ends the
  // request.
  using OnHead = std::function<absl::Status(const HttpResponse&)>;
  // Takes the body of a 2xx response, piece by piece. An error ends the request.
  using OnBody = std::function<absl::Status(absl::string_view)>;

  // The response, whatever its status. Errors say what failed, without the address: UNAVAILABLE, it
  // may work later (no connection, cut short, stalled); CANCELLED, options.interrupted said so;
  // PERMISSION_DENIED, the certificate is not trusted or the address not allowed;
  // INVALID_ARGUMENT, anything else; or what `on_head` or `on_body` returned.
  absl::StatusOr<HttpResponse> Get(const HttpRequest& request, const OnHead& on_head,
                                   const OnBody& on_body);

 private:
  struct Transfer;
  HttpClient(const RemoteOptions& options, void* handle) : options_(options), handle_(handle) {}
  absl::Status Configure(const HttpRequest& request, Transfer& transfer);
  absl::Status ErrorOf(int code, const Transfer& transfer) const;

  const RemoteOptions& options_;
  void* const handle_;  // CURL*, owned
  std::string ca_file_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_HTTP_CLIENT_H_
