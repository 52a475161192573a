#ifndef QUANTRY_CLIENT_REQUEST_ID_H_
#define QUANTRY_CLIENT_REQUEST_ID_H_

#include <string>

#include "absl/strings/string_view.h"

namespace quantry::client {

// A random UUID, version 4 (RFC 4122), lower case: names one submission, so that repeating it after
// a lost answer returns the first job. Thread-safe.
std::string NewRequestId();

// Whether `text` is a UUID of version 4, in either case.
bool IsRequestId(absl::string_view text);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_REQUEST_ID_H_
