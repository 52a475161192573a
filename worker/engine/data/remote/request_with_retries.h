#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_REQUEST_WITH_RETRIES_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_REQUEST_WITH_RETRIES_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/remote/http_client.h"
#include "worker/engine/data/remote/remote_options.h"

namespace quantry::engine {

// What a response other than 2xx and 304 means, with what to do. UNAVAILABLE: it may work later
// (408, 425, 429, 5xx). NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT: it will not. `is_s3`: what
// the service says its error is called goes into the message.
absl::Status ErrorOfResponse(const HttpResponse& response, bool is_s3);

// Calls `attempt` until it returns something else than UNAVAILABLE, up to options.attempts times
// in a row without `gained` (bytes so far) growing by 64 KiB; waits in between, at least as long as
// a response's Retry-After. Errors begin with `uri`. CANCELLED: interrupted while waiting.
absl::Status WithRetries(const RemoteOptions& options, absl::string_view uri,
                         const std::function<int64_t()>& gained,
                         const std::function<absl::Status()>& attempt);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_REQUEST_WITH_RETRIES_H_
