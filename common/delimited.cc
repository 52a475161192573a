#include "common/delimited.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

constexpr size_t kMaxVarintBytes = 4;  // enough for kMaxDelimitedBytes
constexpr size_t kCompactAbove = size_t{1} << 16;

}  // namespace

absl::StatusOr<std::string> Delimit(absl::string_view message) {
  if (message.size() > kMaxDelimitedBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "message has ", message.size(), " bytes; at most ", kMaxDelimitedBytes, " are allowed"));
  }
  std::string result;
  size_t length = message.size();
  while (length >= 0x80) {
    result.push_back(static_cast<char>((length & 0x7f) | 0x80));
    length >>= 7;
  }
  result.push_back(static_cast<char>(length));
  result.append(message.data(), message.size());
  return result;
}

absl::Status WriteDelimited(int fd, absl::string_view message) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, Delimit(message));
  absl::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t written = write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoToStatus(errno, "cannot write a message");
    rest.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> DelimitedParser::Next() {
  size_t length = 0;
  size_t at = position_;
  for (size_t i = 0;; ++i, ++at) {
    if (i == kMaxVarintBytes) return absl::DataLossError("message length is not a valid varint");
    if (at == buffer_.size()) return std::nullopt;
    const auto byte = static_cast<uint8_t>(buffer_[at]);
    length |= static_cast<size_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) break;
  }
  ++at;
  if (length > kMaxDelimitedBytes) {
    return absl::DataLossError(absl::StrCat("message length is ", length, "; at most ",
                                            kMaxDelimitedBytes, " is allowed"));
  }
  if (buffer_.size() - at < length) return std::nullopt;
  std::string message = buffer_.substr(at, length);
  position_ = at + length;
  if (position_ > kCompactAbove || position_ == buffer_.size()) {
    buffer_.erase(0, position_);
    position_ = 0;
  }
  return message;
}

}  // namespace quantry
