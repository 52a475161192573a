#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_COMPUTE_IN_CHILD_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_COMPUTE_IN_CHILD_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace quantry::engine {

// Limits of a computation in a child.
struct ChildLimits {
  int cpu_seconds = 120;
  // Address space beyond what the process has; not applied under sanitizers, which reserve more.
  int64_t bytes = int64_t{4} << 30;
};

// The bytes that `compute` returns in a child process which has a copy of all there is here;
// nothing else of what it does is seen in this process. For code of others that is not made for
// files of strangers. INVALID_ARGUMENT where it throws (with the message), crashes, goes on for
// longer than it may, or takes more memory; RESOURCE_EXHAUSTED where there can be no child. In the
// child ATen has one thread, and `compute` must not wait for threads of this process.
absl::StatusOr<std::string> ComputeInChild(const std::function<std::string()>& compute,
                                           const ChildLimits& limits);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_COMPUTE_IN_CHILD_H_
