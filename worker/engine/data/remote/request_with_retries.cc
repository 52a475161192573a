#include "worker/engine/data/remote/request_with_retries.h"

#include <algorithm>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

constexpr absl::string_view kRetryAfterPayload = "quantry/retry-after";
constexpr int64_t kProgress = 64 * 1024;
constexpr int kMaxRetryAfter = 120;  // seconds

// <Code>NoSuchKey</Code>: the service's own name of what went wrong.
std::string S3Code(const std::string& body) {
  const size_t start = body.find("<Code>");
  const size_t end = body.find("</Code>");
  if (start == std::string::npos || end == std::string::npos || end < start + 6) return "";
  const std::string code = body.substr(start + 6, end - start - 6);
  const bool plain =
      code.size() <= 64 && std::all_of(code.begin(), code.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c));
      });
  return plain ? code : "";
}

absl::Status Unavailable(const std::string& what, const HttpResponse& response) {
  absl::Status status = absl::UnavailableError(what);
  int seconds = 0;
  if (absl::SimpleAtoi(response.Header("retry-after"), &seconds) && seconds > 0) {
    status.SetPayload(kRetryAfterPayload,
                      absl::Cord(absl::StrCat(std::min(seconds, kMaxRetryAfter))));
  }
  return status;
}

absl::Duration RetryAfter(const absl::Status& status) {
  int seconds = 0;
  const auto payload = status.GetPayload(kRetryAfterPayload);
  if (payload) static_cast<void>(absl::SimpleAtoi(std::string(*payload), &seconds));
  return absl::Seconds(seconds);
}

// From half of the delay to all of it, so that many workers don't come back at once.
absl::Duration Jittered(absl::Duration delay) {
  std::random_device device;
  return delay * (0.5 + 0.5 * static_cast<double>(device()) / static_cast<double>(device.max()));
}

absl::Status Wait(const RemoteOptions& options, absl::Duration delay) {
  const absl::Duration slice = absl::Milliseconds(50);
  for (absl::Duration left = delay; left > absl::ZeroDuration(); left -= slice) {
    if (IsInterrupted(options)) {
      return absl::CancelledError("interrupted while a dataset is fetched");
    }
    absl::SleepFor(std::min(left, slice));
  }
  return absl::OkStatus();
}

absl::Status Named(absl::string_view uri, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(uri, ": ", status.message()));
}

}  // namespace

absl::Status ErrorOfResponse(const HttpResponse& response, bool is_s3) {
  const std::string code = is_s3 ? S3Code(response.error_body) : "";
  const std::string what =
      absl::StrCat("HTTP status ", response.status, code.empty() ? "" : absl::StrCat(" ", code));
  const int status = response.status;
  if (status == 408 || status == 425 || status == 429 || status >= 500 || code == "SlowDown") {
    return Unavailable(what, response);
  }
  const std::string region = response.Header("x-amz-bucket-region");
  if (is_s3 && !region.empty() && (status == 301 || status == 307 || status == 400)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": the bucket is in region ", region.substr(0, 40), "; set AWS_REGION"));
  }
  if (status == 404 || status == 410) {
    return absl::NotFoundError(
        absl::StrCat(what, ": nothing is there; check ",
                     is_s3 ? "bucket and key, and AWS_ENDPOINT_URL on the worker" : "the address"));
  }
  if (status == 401 || status == 403) {
    return absl::PermissionDeniedError(absl::StrCat(
        what,
        is_s3 ? ": check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION "
                "on the worker, and that they may read and list this bucket"
              : ": it may not be read without credentials; make it readable, or use s3://, for "
                "which the worker has credentials"));
  }
  if (status >= 300 && status < 400) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": it leads elsewhere; give the address that it leads to"));
  }
  return absl::InvalidArgumentError(absl::StrCat(what, ": check the address"));
}

absl::Status WithRetries(const RemoteOptions& options, absl::string_view uri,
                         const std::function<int64_t()>& gained,
                         const std::function<absl::Status()>& attempt) {
  int failed = 0;
  int64_t mark = gained();
  while (true) {
    const absl::Status status = attempt();
    if (status.ok()) return status;
    if (!absl::IsUnavailable(status)) return Named(uri, status);
    const bool moved = gained() >= mark + kProgress;
    failed = moved ? 1 : failed + 1;
    if (moved) mark = gained();
    if (failed >= options.attempts) {
      return Named(uri, absl::UnavailableError(absl::StrCat(status.message(), "; given up after ",
                                                            failed, " attempts")));
    }
    const absl::Duration backoff =
        std::min(options.max_delay, options.first_delay * (int64_t{1} << std::min(failed - 1, 20)));
    const absl::Duration delay = std::max(Jittered(backoff), RetryAfter(status));
    Log(options, absl::StrCat(uri, ": ", status.message(), "; trying again in ",
                              absl::FormatDuration(absl::Trunc(delay, absl::Milliseconds(100)))));
    QUANTRY_RETURN_IF_ERROR(Wait(options, delay));
  }
}

}  // namespace quantry::engine
