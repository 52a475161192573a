#ifndef QUANTRY_WORKER_TRAINER_FAILURE_H_
#define QUANTRY_WORKER_TRAINER_FAILURE_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/event.pb.h"

namespace quantry::trainer {

// The same error with a reason in UPPER_SNAKE_CASE attached; a reason it has already stays. OK
// stays OK.
absl::Status WithReason(absl::Status status, absl::string_view reason);

// The error as the message that ends a run: INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION,
// PERMISSION_DENIED, OUT_OF_RANGE and UNIMPLEMENTED are the user's, everything else is the
// machine's. Without a reason attached it is TRAINER_FAILED.
v1::Failure ToFailure(const absl::Status& status);

// Runs `body`, turning exceptions (LibTorch's, out of memory) into INTERNAL or RESOURCE_EXHAUSTED.
absl::Status CatchExceptions(const std::function<absl::Status()>& body);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_FAILURE_H_
