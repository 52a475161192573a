#include "worker/engine/data/remote/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr size_t kMaxErrorBody = 16384;
constexpr size_t kMaxHeaders = 200;
constexpr long kMaxRedirects = 5;
constexpr long kConnectSeconds = 15;
constexpr long kBufferBytes = 256 * 1024;

bool IsLinkLocal(const in_addr& address) { return (ntohl(address.s_addr) >> 16) == 0xA9FE; }

// 169.254.0.0/16, fe80::/10, and where one cloud has its metadata service over IPv6.
bool IsForbidden(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    return IsLinkLocal(reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
  }
  if (address->sa_family != AF_INET6) return true;
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    in_addr inner;
    std::memcpy(&inner, ip.s6_addr + 12, sizeof(inner));
    return IsLinkLocal(inner);
  }
  static constexpr uint8_t kMetadata[16] = {0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0,
                                            0,    0, 0,    0,    0, 0, 2, 0x54};
  return IN6_IS_ADDR_LINKLOCAL(&ip) || std::memcmp(ip.s6_addr, kMetadata, 16) == 0;
}

bool MayWorkLater(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

// One request under way. libcurl calls back through C, so no exception may leave.
struct HttpClient::Transfer {
  const RemoteOptions& options;
  const OnHead& on_head;
  const OnBody& on_body;
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;
  HttpResponse response;
  bool head_told = false;
  bool forbidden = false;
  bool interrupted = false;
  absl::Status refused;  // by on_head or on_body
  char error_text[CURL_ERROR_SIZE] = {};

  ~Transfer() { curl_slist_free_all(headers); }

  absl::Status TellHead() {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    head_told = true;
    return response.Succeeded() ? on_head(response) : absl::OkStatus();
  }

  absl::Status TakeBody(absl::string_view piece) {
    if (!head_told) QUANTRY_RETURN_IF_ERROR(TellHead());
    if (response.Succeeded()) return on_body(piece);
    const size_t room = kMaxErrorBody - response.error_body.size();
    absl::StrAppend(&response.error_body, piece.substr(0, room));
    return absl::OkStatus();
  }

  void TakeHeader(absl::string_view line) {
    if (absl::StartsWith(line, "HTTP/")) {  // that of a redirect's target follows the redirect's
      response.headers.clear();
      return;
    }
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || response.headers.size() >= kMaxHeaders) return;
    response.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }

  static size_t OnData(char* data, size_t, size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    try {
      transfer.refused = transfer.TakeBody({data, count});
    } catch (const std::exception& error) {
      transfer.refused = absl::InternalError(error.what());
    }
    return transfer.refused.ok() ? count : 0;
  }

  static size_t OnHeader(char* data, size_t, size_t count, void* self) {
    try {
      static_cast<Transfer*>(self)->TakeHeader({data, count});
    } catch (const std::exception&) {
      return 0;
    }
    return count;
  }

  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.interrupted = IsInterrupted(transfer.options);
    return transfer.interrupted ? 1 : 0;
  }

  static curl_socket_t OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
    if (!IsForbidden(&address->addr)) {
      return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }
    static_cast<Transfer*>(self)->forbidden = true;
    return CURL_SOCKET_BAD;
  }
};

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create(const RemoteOptions& options) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* const handle = initialised == CURLE_OK ? curl_easy_init() : nullptr;
  if (handle == nullptr) return absl::InternalError("libcurl can't be initialised");
  std::unique_ptr<HttpClient> client(new HttpClient(options, handle));
  client->ca_file_ = EnvironmentOf(options, "SSL_CERT_FILE").value_or("");
  return client;
}

HttpClient::~HttpClient() { curl_easy_cleanup(handle_); }

absl::Status HttpClient::Configure(const HttpRequest& request, Transfer& transfer) {
  CURL* const curl = handle_;
  curl_easy_reset(curl);
  CURLcode worst = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    const CURLcode code = curl_easy_setopt(curl, option, value);
    if (code != CURLE_OK) worst = code;
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  const bool is_secure = absl::StartsWith(request.url, "https:");
  set(CURLOPT_REDIR_PROTOCOLS_STR, is_secure ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, request.follows_redirects ? 1L : 0L);
  set(CURLOPT_MAXREDIRS, kMaxRedirects);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME,
      std::max(1L, static_cast<long>(absl::ToInt64Seconds(options_.stall_limit))));
  set(CURLOPT_BUFFERSIZE, kBufferBytes);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_USERAGENT, "quantry");
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!ca_file_.empty()) set(CURLOPT_CAINFO, ca_file_.c_str());
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(transfer.error_text));
  set(CURLOPT_WRITEFUNCTION, &Transfer::OnData);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::OnSocket);
  set(CURLOPT_OPENSOCKETDATA, &transfer);
  for (const std::string& header : request.headers) {
    transfer.headers = curl_slist_append(transfer.headers, header.c_str());
  }
  set(CURLOPT_HTTPHEADER, transfer.headers);
  if (request.signature) {
    set(CURLOPT_AWS_SIGV4, absl::StrCat("aws:amz:", request.signature->region, ":s3").c_str());
    set(CURLOPT_USERNAME, request.signature->access_key.c_str());
    set(CURLOPT_PASSWORD, request.signature->secret_key.c_str());
  }
  if (worst == CURLE_OK) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("libcurl: ", curl_easy_strerror(worst)));
}

absl::Status HttpClient::ErrorOf(int number, const Transfer& transfer) const {
  const auto code = static_cast<CURLcode>(number);
  if (!transfer.refused.ok()) return transfer.refused;
  if (transfer.interrupted) return absl::CancelledError("interrupted while a dataset is fetched");
  const std::string text =
      transfer.error_text[0] != '\0' ? transfer.error_text : curl_easy_strerror(code);
  if (transfer.forbidden) {
    return absl::PermissionDeniedError(
        "its address is link-local, which datasets are not fetched from");
  }
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
    return absl::PermissionDeniedError(
        absl::StrCat("the server's certificate is not trusted: ", text,
                     "; name the file of an own certificate authority by SSL_CERT_FILE"));
  }
  if (MayWorkLater(code)) return absl::UnavailableError(text);
  return absl::InvalidArgumentError(text);
}

absl::StatusOr<HttpResponse> HttpClient::Get(const HttpRequest& request, const OnHead& on_head,
                                             const OnBody& on_body) {
  Transfer transfer{.options = options_, .on_head = on_head, .on_body = on_body, .handle = handle_};
  QUANTRY_RETURN_IF_ERROR(Configure(request, transfer));
  const CURLcode code = curl_easy_perform(handle_);
  if (code != CURLE_OK) return ErrorOf(code, transfer);
  if (!transfer.head_told) QUANTRY_RETURN_IF_ERROR(transfer.TellHead());
  return std::move(transfer.response);
}

}  // namespace quantry::engine
