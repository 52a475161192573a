#include "worker/trainer/failure.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace quantry::trainer {
namespace {

constexpr absl::string_view kReasonPayload = "quantry/reason";

v1::FailureKind KindOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return v1::FAILURE_KIND_USER;
    default:
      return v1::FAILURE_KIND_INFRASTRUCTURE;
  }
}

absl::Status OutOfMemory() {
  return WithReason(
      absl::ResourceExhaustedError("out of memory; try a smaller batch_size or image_size"),
      "OUT_OF_MEMORY");
}

}  // namespace

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  if (status.ok() || status.GetPayload(kReasonPayload).has_value()) return status;
  status.SetPayload(kReasonPayload, absl::Cord(reason));
  return status;
}

v1::Failure ToFailure(const absl::Status& status) {
  v1::Failure failure;
  failure.set_kind(KindOf(status.code()));
  const auto reason = status.GetPayload(kReasonPayload);
  failure.set_reason(reason ? std::string(*reason) : "TRAINER_FAILED");
  failure.set_message(std::string(status.message()));
  return failure;
}

absl::Status CatchExceptions(const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    if (absl::StrContains(what, "can't allocate memory")) return OutOfMemory();
    return absl::InternalError(absl::StrCat("LibTorch: ", what));
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace quantry::trainer
