#include "worker/agent/output_text.h"

#include <utility>

#include "common/utf8.h"

namespace quantry::agent {
std::vector<std::string> OutputText::Feed(absl::string_view bytes) {
  tail_.append(bytes.data(), bytes.size());
  if (tail_.size() > kLastWordsBytes) tail_.erase(0, tail_.size() - kLastWordsBytes);
  std::vector<std::string> lines;
  for (const char c : bytes) {
    if (c != '\n' && c != '\r') line_.push_back(c);
    if (c == '\n' || c == '\r' || line_.size() == kMaxLineBytes) {
      if (!line_.empty()) lines.push_back(TakePartialLine());
    }
  }
  return lines;
}

std::string OutputText::TakePartialLine() { return ToValidUtf8(std::exchange(line_, "")); }

std::string OutputText::LastWords() const { return ToValidUtf8(tail_); }

}  // namespace quantry::agent
