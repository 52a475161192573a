#ifndef QUANTRY_WORKER_AGENT_OUTPUT_TEXT_H_
#define QUANTRY_WORKER_AGENT_OUTPUT_TEXT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace quantry::agent {

// A program's output, cut into lines, and its end. Not thread-safe.
class OutputText {
 public:
  static constexpr size_t kMaxLineBytes = 8 << 10;  // longer lines are cut into several
  static constexpr size_t kLastWordsBytes = 4 << 10;

  // Takes output, split anywhere; returns the lines that are complete now, without line ends and
  // without empty ones, as valid UTF-8.
  std::vector<std::string> Feed(absl::string_view bytes);

  // The last, unfinished line; empty if there is none.
  std::string TakePartialLine();

  // The end of all output, at most kLastWordsBytes, as valid UTF-8.
  std::string LastWords() const;

 private:
  std::string line_;
  std::string tail_;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_OUTPUT_TEXT_H_
