#ifndef QUANTRY_COMMON_FREE_PORT_H_
#define QUANTRY_COMMON_FREE_PORT_H_

#include "absl/status/statusor.h"

namespace quantry {

// A TCP port of the loopback interface on which nobody listens now. Another program may take it
// before it is used, so whoever listens on it must expect to fail.
absl::StatusOr<int> FreeTcpPort();

}  // namespace quantry

#endif  // QUANTRY_COMMON_FREE_PORT_H_
