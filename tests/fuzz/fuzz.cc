#include "tests/fuzz/fuzz.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define QUANTRY_FUZZ_SANITIZED 1
#else
#define QUANTRY_FUZZ_SANITIZED 0
#endif

namespace quantry {
namespace {

constexpr int64_t kBatch = 200;             // cases of one child
constexpr size_t kMostFailures = 20;        // then it is enough
constexpr int kWrong = 3;                   // exit status of a child that has left a message
constexpr unsigned kMostWallSeconds = 240;  // of a case, for one that waits instead of computing

// What a child tells, also when it dies.
struct Board {
  std::atomic<int64_t> round;
  std::atomic<int64_t> accepted;
  std::atomic<int64_t> refused;
  char message[4096];
};

std::optional<int64_t> NumberFromEnvironment(const char* name) {
  const char* text = std::getenv(name);
  int64_t number = 0;
  if (text == nullptr) return std::nullopt;
  if (!absl::SimpleAtoi(text, &number) || number < 0) {
    ADD_FAILURE() << name << " is not a number: " << text;
    return std::nullopt;
  }
  return number;
}

int64_t PeakMebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

// Beyond this, allocations fail. Sanitizers reserve far more than they use.
void LimitMemory(int64_t mebibytes) {
  if (QUANTRY_FUZZ_SANITIZED != 0) return;
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const auto now = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  const rlim_t most = now + (static_cast<rlim_t>(mebibytes) << 20);
  const rlimit limit{most, most};
  setrlimit(RLIMIT_AS, &limit);
}

void StartClock(int cpu_seconds) {
  const itimerval timer{{0, 0}, {cpu_seconds, 0}};
  setitimer(ITIMER_PROF, &timer, nullptr);  // SIGPROF ends the process
  alarm(kMostWallSeconds);
}

// Refusals end up in logs, JSON and gRPC.
bool IsText(absl::string_view message) {
  return !message.empty() && std::none_of(message.begin(), message.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
  });
}

std::string InputOf(const FuzzTarget& target, int64_t round) {
  FuzzRng rng(static_cast<uint64_t>(round));
  const std::string seed = rng.Pick(target.seeds);
  return target.mutate(seed, rng);
}

// Empty if the case went as it should.
std::string RunCase(const FuzzTarget& target, const std::string& input, Board& board) {
  const absl::Status status = target.read(input);
  if (status.ok()) {
    ++board.accepted;
    return "";
  }
  const auto& codes = target.refusals;
  if (std::find(codes.begin(), codes.end(), status.code()) == codes.end()) {
    return absl::StrCat("wrong kind of error: ", status.ToString());
  }
  if (!IsText(status.message())) {
    return absl::StrCat("the message is no text: ", std::string(status.message()));
  }
  ++board.refused;
  return "";
}

[[noreturn]] void RunBatch(const FuzzTarget& target, int64_t end, Board& board) {
  const int64_t before = PeakMebibytes();
  LimitMemory(4 * target.most_mebibytes);
  for (; board.round < end; ++board.round) {
    StartClock(target.most_seconds);
    std::string wrong;
    try {
      wrong = RunCase(target, InputOf(target, board.round), board);
    } catch (const std::exception& error) {
      wrong = absl::StrCat("exception: ", error.what());
    }
    const int64_t taken = PeakMebibytes() - before;
    if (wrong.empty() && taken > target.most_mebibytes) {
      wrong = absl::StrCat("took ", taken, " MiB");
    }
    if (wrong.empty()) continue;
    std::strncpy(board.message, wrong.c_str(), sizeof(board.message) - 1);
    _exit(kWrong);
  }
  _exit(0);
}

std::string HowItEnded(int status, const Board& board) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kWrong) return board.message;
  if (WIFEXITED(status)) return absl::StrCat("ended with ", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  if (signal == SIGPROF || signal == SIGALRM) return "hangs";
  return absl::StrCat("crash: ", strsignal(signal));
}

// Runs the cases from board.round to `end`, or to the first that fails.
void RunChild(const FuzzTarget& target, int64_t end, Board& board, FuzzReport& report) {
  std::memset(board.message, 0, sizeof(board.message));
  const pid_t child = fork();
  if (child == 0) RunBatch(target, end, board);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    report.failures.push_back("no child process could be started");
    return;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  report.failures.push_back(
      absl::StrCat(target.name, ", case ", board.round.load(), ": ", HowItEnded(status, board)));
  ++board.round;
}

}  // namespace

int64_t FuzzRng::HostileInt() {
  static const std::vector<int64_t> kNumbers = {0,
                                                1,
                                                -1,
                                                2,
                                                3,
                                                7,
                                                16,
                                                255,
                                                256,
                                                65536,
                                                std::numeric_limits<int32_t>::max(),
                                                std::numeric_limits<int32_t>::min(),
                                                int64_t{1} << 32,
                                                int64_t{1} << 40,
                                                int64_t{1} << 60,
                                                std::numeric_limits<int64_t>::max(),
                                                std::numeric_limits<int64_t>::min()};
  return OneIn(3) ? static_cast<int64_t>(Below(20)) - 5 : Pick(kNumbers);
}

double FuzzRng::HostileDouble() {
  static const std::vector<double> kNumbers = {0.0,
                                               -0.0,
                                               1.0,
                                               -1.0,
                                               0.5,
                                               1e-45,
                                               1e-300,
                                               1e30,
                                               1e300,
                                               -1e300,
                                               std::numeric_limits<double>::infinity(),
                                               -std::numeric_limits<double>::infinity(),
                                               std::numeric_limits<double>::quiet_NaN()};
  return Pick(kNumbers);
}

FuzzReport Fuzz(const FuzzTarget& target, int64_t rounds) {
  const int64_t first = NumberFromEnvironment("QUANTRY_FUZZ_FIRST").value_or(0);
  FuzzReport report;
  if (const char* path = std::getenv("QUANTRY_FUZZ_WRITE"); path != nullptr) {
    const std::string input = InputOf(target, first);
    std::ofstream(path, std::ios::binary) << input;
    std::fprintf(stderr, "%s\n", target.read(input).ToString().c_str());
    return report;
  }
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    report.failures.push_back("no shared memory");
    return report;
  }
  auto* board = new (memory) Board{};
  board->round = first;
  const auto seconds = NumberFromEnvironment("QUANTRY_FUZZ_SECONDS");
  rounds = NumberFromEnvironment("QUANTRY_FUZZ_ROUNDS").value_or(rounds);
  const int64_t end = seconds ? std::numeric_limits<int64_t>::max() : first + rounds;
  const auto stop = std::chrono::steady_clock::now() + std::chrono::seconds(seconds.value_or(0));
  while (board->round < end && report.failures.size() < kMostFailures) {
    if (seconds && std::chrono::steady_clock::now() >= stop) break;
    RunChild(target, std::min(end - board->round, kBatch) + board->round, *board, report);
  }
  report.cases = board->round - first;
  report.accepted = board->accepted;
  report.refused = board->refused;
  munmap(memory, sizeof(Board));
  return report;
}

void ExpectNoFuzzFailures(const FuzzTarget& target, int64_t rounds) {
  const FuzzReport report = Fuzz(target, rounds);
  for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
  std::printf("%s: %lld cases, %lld accepted, %lld refused, %zu failures\n", target.name.c_str(),
              static_cast<long long>(report.cases), static_cast<long long>(report.accepted),
              static_cast<long long>(report.refused), report.failures.size());
}

}  // namespace quantry
