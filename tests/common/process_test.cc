#include "common/process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace quantry {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(60);

std::unique_ptr<Process> Shell(const std::string& script, ProcessOptions options = {}) {
  options.arguments = {"/bin/sh", "-c", script};
  auto process = Process::Start(options);
  EXPECT_TRUE(process.ok()) << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

// Reads until `stop` is in what came, or the end.
std::string ReadUntil(int fd, const std::string& stop = "\n\n never") {
  std::string text;
  while (text.find(stop) == std::string::npos) {
    pollfd entry{.fd = fd, .events = POLLIN};
    if (poll(&entry, 1, 60'000) <= 0) return text + " (timed out)";
    char buffer[4096];
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count <= 0) break;
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

TEST(ProcessTest, ReportsExitCodeAndSignal) {
  const auto exit = Shell("exit 3")->WaitFor(kDeadline);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(exit->ToString(), "exit code 3");
  const auto killed = Shell("kill -SEGV $$")->WaitFor(kDeadline);
  ASSERT_TRUE(killed.has_value());
  EXPECT_EQ(killed->signal, SIGSEGV);
  EXPECT_FALSE(killed->Succeeded());
  EXPECT_EQ(killed->ToString(), "signal 11 (Segmentation fault)");
}

TEST(ProcessTest, GivesOutputMessagesEnvironmentAndFolder) {
  auto process = Shell("echo \"$QUANTRY_A in $PWD\"; echo err >&2; echo message >&3; cat",
                       {.environment = {{"QUANTRY_A", "value"}}, .working_folder = "/"});
  EXPECT_EQ(ReadUntil(process->message_fd()), "message\n");
  EXPECT_EQ(ReadUntil(process->output_fd()), "value in /\nerr\n");
  EXPECT_TRUE(process->WaitFor(kDeadline)->Succeeded());
}

TEST(ProcessTest, PassesNoOtherDescriptor) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  auto process = Shell("for fd in /proc/self/fd/*; do echo ${fd##*/}; done | sort -n | tail -1");
  EXPECT_LE(std::atoi(ReadUntil(process->output_fd()).c_str()), 10);  // the shell's own, if any
  close(fds[0]);
  auto writer = Shell("echo x >&" + std::to_string(fds[1]));
  EXPECT_FALSE(writer->WaitFor(kDeadline)->Succeeded());
  close(fds[1]);
}

TEST(ProcessTest, NamesAProgramThatCannotRun) {
  const auto missing = Process::Start({.arguments = {"/no/such/program"}});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("/no/such/program"), std::string::npos);
  EXPECT_EQ(Process::Start({}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ProcessTest, SignalReachesTheChildAlone) {
  auto process = Shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
  EXPECT_EQ(ReadUntil(process->output_fd(), "ready"), "ready\n");
  process->Signal(SIGTERM);
  EXPECT_EQ(process->WaitFor(kDeadline)->code, 7);
  process->Signal(SIGTERM);  // after the end: no effect
}

TEST(ProcessTest, WaitForTimesOutAndKillEndsTheStubborn) {
  auto process = Shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  EXPECT_EQ(ReadUntil(process->output_fd(), "ready"), "ready\n");
  process->Signal(SIGTERM);
  EXPECT_FALSE(process->WaitFor(absl::Milliseconds(50)).has_value());
  process->Kill();
  EXPECT_EQ(process->WaitFor(kDeadline)->signal, SIGKILL);
}

TEST(ProcessTest, EndKillsTheWholeGroup) {
  auto process = Shell("sleep 1000 & echo $!; exit 0");
  int helper = 0;
  ASSERT_TRUE(absl::SimpleAtoi(ReadUntil(process->output_fd(), "\n"), &helper));
  ASSERT_TRUE(process->WaitFor(kDeadline).has_value());
  // The helper held the write end: its death closes the pipe.
  EXPECT_EQ(ReadUntil(process->output_fd()), "");
}

TEST(ProcessTest, ChildStartsWithDefaultSignals) {
  sigset_t mask, old;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &mask, &old);
  auto process = Shell("echo ready; exec sleep 1000");
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  EXPECT_EQ(ReadUntil(process->output_fd(), "ready"), "ready\n");
  process->Signal(SIGTERM);
  EXPECT_EQ(process->WaitFor(kDeadline)->signal, SIGTERM);
}

// The child of a parent that is killed dies as well: its pipe end closes.
TEST(ProcessTest, ChildDiesWithItsParent) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    auto process = Process::Start({.arguments = {"/bin/sleep", "1000"}});
    const pid_t child = process.ok() ? (*process)->pid() : 0;
    const ssize_t written = write(fds[1], &child, sizeof(child));
    pause();
    _exit(written == sizeof(child) ? 0 : 1);
  }
  close(fds[1]);
  pid_t child = 0;
  ASSERT_EQ(read(fds[0], &child, sizeof(child)), static_cast<ssize_t>(sizeof(child)));
  close(fds[0]);
  ASSERT_GT(child, 0);
  ASSERT_EQ(kill(child, 0), 0);
  const auto is_running = [child] {
    char state = 'Z';
    const std::string path = "/proc/" + std::to_string(child) + "/stat";
    if (FILE* file = fopen(path.c_str(), "r"); file != nullptr) {
      if (fscanf(file, "%*d %*s %c", &state) != 1) state = 'Z';
      fclose(file);
    }
    return state != 'Z';
  };
  kill(parent, SIGKILL);
  const absl::Time end = absl::Now() + kDeadline;
  while (is_running() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_FALSE(is_running());
}

}  // namespace
}  // namespace quantry
