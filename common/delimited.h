#ifndef QUANTRY_COMMON_DELIMITED_H_
#define QUANTRY_COMMON_DELIMITED_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry {

// Messages on a byte stream: each preceded by its length as a base-128 varint, as in protobuf's
// writeDelimitedTo. Needs no protobuf.

// The largest message, in bytes.
inline constexpr size_t kMaxDelimitedBytes = size_t{16} << 20;

// Length and bytes of one message. RESOURCE_EXHAUSTED if it is larger than kMaxDelimitedBytes.
absl::StatusOr<std::string> Delimit(absl::string_view message);

// Writes one delimited message to a descriptor, whole. Blocks until all is taken; writers on
// several threads must take turns.
absl::Status WriteDelimited(int fd, absl::string_view message);

// Cuts a byte stream into its messages. Not thread-safe.
class DelimitedParser {
 public:
  // Appends bytes, split anywhere.
  void Feed(absl::string_view bytes) { buffer_.append(bytes.data(), bytes.size()); }

  // The next whole message, or nothing until more is fed. DATA_LOSS: the stream is no sequence of
  // delimited messages; it can't be read any further.
  absl::StatusOr<std::optional<std::string>> Next();

  // Whether bytes of an unfinished message are left: at the end of the stream, that it was cut.
  bool HasPartial() const { return position_ < buffer_.size(); }

 private:
  std::string buffer_;
  size_t position_ = 0;  // of the first byte not yet returned
};

}  // namespace quantry

#endif  // QUANTRY_COMMON_DELIMITED_H_
