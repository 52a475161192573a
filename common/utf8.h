#ifndef QUANTRY_COMMON_UTF8_H_
#define QUANTRY_COMMON_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace quantry {

// `text` with every byte that is not part of valid UTF-8, and every NUL, as '?': protobuf strings
// must be UTF-8, file names and a crashing program's output need not be.
std::string ToValidUtf8(absl::string_view text);

}  // namespace quantry

#endif  // QUANTRY_COMMON_UTF8_H_
