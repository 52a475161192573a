#include "server/rpc/call_gate.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <random>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/rpc/status_mapping.h"

namespace quantry::server {
namespace {

constexpr char kRequestIdKey[] = "x-request-id";
constexpr size_t kMaxRequestId = 64;

bool IsServersFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kDataLoss ||
         code == absl::StatusCode::kUnknown;
}

std::string NewRequestId() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad16));
}

// The caller's request id if it is one that may stand in a log, else a new one.
std::string RequestId(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find(kRequestIdKey);
  if (found == context.client_metadata().end()) return NewRequestId();
  const std::string given(found->second.data(), found->second.size());
  const bool plain = absl::c_all_of(
      given, [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; });
  return !given.empty() && given.size() <= kMaxRequestId && plain ? given : NewRequestId();
}

const std::string* TextField(const google::protobuf::Message& message, const char* name,
                             std::string& scratch) {
  const auto* field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->is_repeated() ||
      field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
    return nullptr;
  }
  return &message.GetReflection()->GetStringReference(message, field, &scratch);
}

}  // namespace

std::string CallGate::ResourceOf(const google::protobuf::Message& request,
                                 const google::protobuf::Message& response) {
  std::string scratch;
  for (const google::protobuf::Message* message : {&request, &response}) {
    for (const char* name : {"name", "worker_id"}) {
      const std::string* text = TextField(*message, name, scratch);
      if (text != nullptr && !text->empty()) return *text;
    }
  }
  return "";
}

absl::StatusOr<Principal> CallGate::Admit(const grpc::ServerContext& context,
                                          const MethodRule& rule) {
  QUANTRY_ASSIGN_OR_RETURN(Principal who, authenticator_.Authenticate(context));
  QUANTRY_RETURN_IF_ERROR(authenticator_.required() ? CheckRole(who, rule) : absl::OkStatus());
  if (who.role == v1::ROLE_WORKER) return who;
  const absl::Duration wait = limiter_.Take(who.name, 1, clock_.Monotonic());
  if (wait == absl::ZeroDuration()) return who;
  return WithRetryDelay(
      QuotaError("RATE_LIMITED", who.name,
                 absl::StrCat(who.name, " makes more than ", limiter_.rate(),
                              " calls a second; wait ", absl::FormatDuration(wait))),
      wait);
}

grpc::Status CallGate::Run(grpc::ServerContext& context, const char* method,
                           absl::FunctionRef<std::string()> resource, Body body) {
  const MethodRule& rule = *FindMethodRule(method);
  const std::string request_id = RequestId(context);
  context.AddInitialMetadata(kRequestIdKey, request_id);
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<Principal> who = Admit(context, rule);
  absl::Status status = who.ok() ? body(*who) : who.status();
  const absl::Duration took = absl::FromChrono(std::chrono::steady_clock::now() - start);
  metrics_.RecordRpc(method, absl::StatusCodeToString(status.code()), took);
  if (ErrorReason(status) == "STALE_LEASE") metrics_.RecordStaleWrite();
  const bool denied = absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
  if (rule.changes || denied) {
    audit_.Write({.principal = who.ok() ? who->name : "",
                  .peer = context.peer(),
                  .method = method,
                  .resource = resource(),
                  .request_id = request_id,
                  .code = absl::StatusCodeToString(status.code())});
  }
  const auto level = IsServersFault(status.code()) ? spdlog::level::err : spdlog::level::debug;
  spdlog::log(level, "call method={} request={} principal={} code={} seconds={:.6f} message=\"{}\"",
              method, request_id, who.ok() ? who->name : "-",
              absl::StatusCodeToString(status.code()), absl::ToDoubleSeconds(took),
              std::string(status.message()));
  if (!status.ok()) status = WithRequestId(std::move(status), request_id);
  return ToGrpcStatus(status);
}

}  // namespace quantry::server
