#include "tests/client/cli_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "common/files.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

fs::path MakeTestFolder() {
  std::string name = (fs::temp_directory_path() / "quantry-client-test-XXXXXX").string();
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  return name;
}

}  // namespace

TestFolder::TestFolder() : path_(MakeTestFolder()) {}

TestFolder::~TestFolder() { EXPECT_TRUE(RemoveAll(path_).ok()); }

CliProcess::CliProcess(const std::vector<std::string>& arguments, const Environment& environment)
    : folder_(MakeTestFolder()) {
  std::vector<std::string> argv = {QUANTRY_CLI};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = {"TZ=UTC0", "PATH=/nonexistent"};
  variables.insert(variables.end(), environment.begin(), environment.end());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int flags = O_WRONLY | O_CREAT;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, (folder_ / "out").c_str(), flags, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (folder_ / "err").c_str(), flags, 0600);
  EXPECT_EQ(posix_spawn(&pid_, QUANTRY_CLI, &actions, nullptr, Pointers(argv).data(),
                        Pointers(variables).data()),
            0);
  posix_spawn_file_actions_destroy(&actions);
}

CliProcess::~CliProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  EXPECT_TRUE(RemoveAll(folder_).ok());
}

void CliProcess::Signal(int number) const { kill(pid_, number); }

CliResult CliProcess::Wait() {
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  CliResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = ReadFile(folder_ / "out").value_or("");
  result.err = ReadFile(folder_ / "err").value_or("");
  return result;
}

CliResult RunCli(const std::vector<std::string>& arguments,
                 const CliProcess::Environment& environment) {
  return CliProcess(arguments, environment).Wait();
}

}  // namespace quantry::client
