#include "server/core/error_details.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/rpc/error_details.pb.h"

namespace quantry::server {
namespace {

std::string TypeUrl(const google::protobuf::Message& message) {
  return absl::StrCat("type.googleapis.com/", message.GetTypeName());
}

void Attach(absl::Status& status, const google::protobuf::Message& detail) {
  status.SetPayload(TypeUrl(detail), absl::Cord(detail.SerializeAsString()));
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                       const ErrorMetadata& metadata) {
  absl::Status status(code, message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[key] = value;
  Attach(status, info);
  return status;
}

absl::Status BadRequestError(absl::string_view reason,
                             const std::vector<FieldViolation>& violations) {
  const std::string message =
      absl::StrJoin(violations, "; ", [](std::string* out, const FieldViolation& violation) {
        absl::StrAppend(out, violation.field, ": ", violation.description);
      });
  absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, reason, message);
  google::rpc::BadRequest detail;
  for (const FieldViolation& violation : violations) {
    auto* added = detail.add_field_violations();
    added->set_field(violation.field);
    added->set_description(violation.description);
  }
  Attach(status, detail);
  return status;
}

absl::Status PreconditionError(absl::string_view reason, absl::string_view resource,
                               absl::string_view message) {
  absl::Status status = MakeError(absl::StatusCode::kFailedPrecondition, reason, message);
  google::rpc::PreconditionFailure detail;
  auto* violation = detail.add_violations();
  violation->set_type("STATE");
  violation->set_subject(std::string(resource));
  violation->set_description(std::string(message));
  Attach(status, detail);
  return status;
}

absl::Status QuotaError(absl::string_view reason, absl::string_view subject,
                        absl::string_view message) {
  absl::Status status = MakeError(absl::StatusCode::kResourceExhausted, reason, message);
  google::rpc::QuotaFailure detail;
  auto* violation = detail.add_violations();
  violation->set_subject(std::string(subject));
  violation->set_description(std::string(message));
  Attach(status, detail);
  return status;
}

absl::Status WithRequestId(absl::Status status, absl::string_view request_id) {
  google::rpc::RequestInfo detail;
  detail.set_request_id(std::string(request_id));
  Attach(status, detail);
  return status;
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  google::rpc::RetryInfo detail;
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(delay);
  detail.mutable_retry_delay()->set_seconds(nanoseconds / 1'000'000'000);
  detail.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  Attach(status, detail);
  return status;
}

std::optional<std::string> ErrorReason(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  const auto payload = status.GetPayload(TypeUrl(info));
  if (!payload.has_value() || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return info.reason();
}

}  // namespace quantry::server
