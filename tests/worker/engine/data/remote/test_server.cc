#include "tests/worker/engine/data/remote/test_server.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "worker/engine/data/remote/http_client.h"

namespace quantry::engine {
namespace {

// What the process writes up to the first line's end.
std::string FirstLine(int fd) {
  std::string line;
  char c = 0;
  while (line.size() < 4096) {
    pollfd ready{.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, 30000) != 1 || read(fd, &c, 1) != 1 || c == '\n') break;
    line += c;
  }
  return line;
}

}  // namespace

TestServer::TestServer(const std::string& script, const std::vector<std::string>& arguments) {
  ProcessOptions options;
  options.arguments = {"/usr/bin/python3", std::string(QUANTRY_TEST_SERVER_FOLDER) + "/" + script};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  auto started = Process::Start(options);
  if (!started.ok()) {
    ADD_FAILURE() << started.status();
    return;
  }
  process_ = *std::move(started);
  const std::string line = FirstLine(process_->output_fd());
  EXPECT_TRUE(absl::SimpleAtoi(absl::StripPrefix(line, "PORT "), &port_)) << line;
}

std::vector<nlohmann::json> TestServer::TakeLog() const {
  const RemoteOptions options;
  std::string body;
  const auto client = HttpClient::Create(options).value();
  const auto response = client->Get(
      {.url = url("/_log")}, [](const HttpResponse&) { return absl::OkStatus(); },
      [&body](absl::string_view piece) {
        absl::StrAppend(&body, piece);
        return absl::OkStatus();
      });
  EXPECT_TRUE(response.ok()) << response.status();
  return nlohmann::json::parse(body).get<std::vector<nlohmann::json>>();
}

RemoteOptions TestRemoteOptions(const std::filesystem::path& folder,
                                const std::map<std::string, std::string>& variables) {
  RemoteOptions options;
  options.cache_folder = folder / "cache";
  options.environment = [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  options.stall_limit = absl::Seconds(1);
  options.attempts = 4;
  options.first_delay = absl::Milliseconds(1);
  options.max_delay = absl::Milliseconds(5);
  return options;
}

std::map<std::string, std::string> S3Variables(const TestServer& server) {
  return {{"AWS_ENDPOINT_URL", server.url("")},
          {"AWS_REGION", "eu-test-1"},
          {"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
          {"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
          {"AWS_SESSION_TOKEN", "session/token+with=signs=="}};
}

void WriteCertificate(const std::filesystem::path& folder) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_set_version(certificate, 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  for (const auto& [id, value] : {std::pair{NID_subject_alt_name, "DNS:localhost"},
                                  std::pair{NID_basic_constraints, "CA:TRUE"}}) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  EXPECT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
  std::FILE* file = std::fopen((folder / "certificate.pem").c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen((folder / "key.pem").c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

std::string TestContent(size_t bytes) {
  std::string content(bytes, '\0');
  uint32_t state = 1;
  for (char& c : content) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return content;
}

}  // namespace quantry::engine
