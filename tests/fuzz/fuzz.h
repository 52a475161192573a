#ifndef QUANTRY_TESTS_FUZZ_FUZZ_H_
#define QUANTRY_TESTS_FUZZ_FUZZ_H_

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace quantry {

// Random numbers of one case: the same for the same target and number of the case.
class FuzzRng {
 public:
  explicit FuzzRng(uint64_t round) : generator_(round * 0x9E3779B97F4A7C15u + 1) {}

  // In [0, count); count must not be 0.
  uint64_t Below(uint64_t count) { return generator_() % count; }
  bool OneIn(uint64_t count) { return Below(count) == 0; }
  // A number that readers are known to stumble over, or a small one.
  int64_t HostileInt();
  double HostileDouble();
  template <typename T>
  const T& Pick(const std::vector<T>& list) {
    return list[Below(list.size())];
  }

 private:
  std::mt19937_64 generator_;
};

// One reader, and how valid input for it is damaged.
struct FuzzTarget {
  std::string name;
  std::vector<std::string> seeds;  // valid inputs, not empty
  std::function<std::string(const std::string& seed, FuzzRng&)> mutate;
  std::function<absl::Status(const std::string& input)> read;
  // What a refusal may be.
  std::vector<absl::StatusCode> refusals = {absl::StatusCode::kInvalidArgument};
  // What a case may take beyond what the program has at its start.
  int64_t most_mebibytes = 1024;
  // CPU time after which a case counts as hanging.
  int most_seconds = 20;
};

struct FuzzReport {
  int64_t cases = 0;
  int64_t accepted = 0;
  int64_t refused = 0;
  std::vector<std::string> failures;  // each names its case
};

// Reads damaged inputs in child processes, so that a crash, a hang or too much memory fails one
// case and is told with its number. A refusal must have one of the codes and a message that is
// text.
//
// Environment: QUANTRY_FUZZ_ROUNDS, number of cases instead of `rounds`; QUANTRY_FUZZ_SECONDS, runs
// that long instead; QUANTRY_FUZZ_FIRST, number of the first case; QUANTRY_FUZZ_WRITE, a file that
// the input of the first case is written to, which then runs in this process, for a debugger.
FuzzReport Fuzz(const FuzzTarget& target, int64_t rounds);

// Runs Fuzz, prints what came out and fails the test for each failure.
void ExpectNoFuzzFailures(const FuzzTarget& target, int64_t rounds);

}  // namespace quantry

#endif  // QUANTRY_TESTS_FUZZ_FUZZ_H_
