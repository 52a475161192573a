#ifndef QUANTRY_TESTS_CLIENT_CLI_PROCESS_H_
#define QUANTRY_TESTS_CLIENT_CLI_PROCESS_H_

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace quantry::client {

struct CliResult {
  int exit_code = -1;  // 128 + N: ended by signal N
  std::string out;
  std::string err;
};

// The real program `quantry` as a process, not on a terminal, with TZ=UTC and an otherwise empty
// environment.
class CliProcess {
 public:
  using Environment = std::vector<std::string>;  // "NAME=VALUE"

  explicit CliProcess(const std::vector<std::string>& arguments,
                      const Environment& environment = {});
  // Ends the process if it still runs.
  ~CliProcess();
  CliProcess(const CliProcess&) = delete;
  CliProcess& operator=(const CliProcess&) = delete;

  void Signal(int number) const;
  // Waits for the end.
  CliResult Wait();

 private:
  std::filesystem::path folder_;  // holds what it wrote
  pid_t pid_ = -1;
};

CliResult RunCli(const std::vector<std::string>& arguments,
                 const CliProcess::Environment& environment = {});

// A folder that is removed at the end of a test.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace quantry::client

#endif  // QUANTRY_TESTS_CLIENT_CLI_PROCESS_H_
