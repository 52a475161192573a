#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_PROBE_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_PROBE_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"

namespace quantry::engine {

// Limits of a probe.
struct ProbeLimits {
  int cpu_seconds = 120;
  // Address space beyond what the process has; not applied under sanitizers, which reserve more.
  int64_t bytes = int64_t{4} << 30;
};

// Calls `load` in a child process that has a copy of all there is, and forgets what comes of it: OK
// where it returns or throws anything but a lack of memory. INVALID_ARGUMENT where it crashes, goes
// on for longer than it may, or takes more memory; RESOURCE_EXHAUSTED where there can be no child.
// For code of others that is not made for files of strangers. In the child ATen has one thread, and
// `load` must not wait for threads of this process.
absl::Status ProbeInChild(const std::function<void()>& load, const ProbeLimits& limits);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_PROBE_H_
