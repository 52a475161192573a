#ifndef QUANTRY_TESTS_WORKER_ENGINE_DATA_REMOTE_TEST_SERVER_H_
#define QUANTRY_TESTS_WORKER_ENGINE_DATA_REMOTE_TEST_SERVER_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/process.h"
#include "nlohmann/json.hpp"
#include "worker/engine/data/remote/remote_options.h"

namespace quantry::engine {

// One of the Python servers beside this file, as a process that ends with the object.
class TestServer {
 public:
  // `script`: "object_server.py" or "s3_server.py"; `arguments`: the folder to serve, and more.
  TestServer(const std::string& script, const std::vector<std::string>& arguments);

  int port() const { return port_; }
  std::string authority() const { return "localhost:" + std::to_string(port_); }
  std::string url(const std::string& path) const { return "http://" + authority() + path; }

  // The requests since the last call: objects with path, status, range, if_range, if_none_match.
  std::vector<nlohmann::json> TakeLog() const;

 private:
  std::unique_ptr<Process> process_;
  int port_ = 0;
};

// Options with a cache in `folder`, short waits and, of the environment, `variables` alone.
RemoteOptions TestRemoteOptions(const std::filesystem::path& folder,
                                const std::map<std::string, std::string>& variables = {});

// What s3_server.py expects, with the address of `server`.
std::map<std::string, std::string> S3Variables(const TestServer& server);

// Writes a self-signed certificate for localhost and its key: certificate.pem and key.pem.
void WriteCertificate(const std::filesystem::path& folder);

// `bytes` bytes that differ from place to place.
std::string TestContent(size_t bytes);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_DATA_REMOTE_TEST_SERVER_H_
