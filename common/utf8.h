#ifndef QUANTRY_COMMON_UTF8_H_
#define QUANTRY_COMMON_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace quantry {

// `text` with every byte that is not part of valid UTF-8, and every NUL, as '?': protobuf strings
// must be UTF-8, file names and a crashing program's output need not be.
std::string ToValidUtf8(absl::string_view text);

// The same, with control characters other than line ends and tabs as '?' too, and cut after about
// `most_bytes`: what may stand in a message when `text` quotes what strangers wrote.
std::string ToPlainText(absl::string_view text, size_t most_bytes = 2000);

}  // namespace quantry

#endif  // QUANTRY_COMMON_UTF8_H_
