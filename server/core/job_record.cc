#include "server/core/job_record.h"

#include <utility>

#include "absl/strings/strip.h"

namespace quantry::server {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace

void JobChange::Add(v1::Event event, absl::Time now) {
  const int64_t sequence = record.job.last_sequence() + 1;
  event.set_sequence(sequence);
  *event.mutable_time() = ToProto(now);
  event.set_attempt(record.job.attempt());
  record.job.set_last_sequence(sequence);
  events.push_back(std::move(event));
}

std::string LeaseWorkerId(const JobRecord& record) {
  return std::string(absl::StripPrefix(record.job.worker(), "workers/"));
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t seconds = absl::ToUnixSeconds(time);
  proto.set_seconds(seconds);
  proto.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return proto;
}

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(duration);
  proto.set_seconds(nanoseconds / kNanosPerSecond);
  proto.set_nanos(static_cast<int32_t>(nanoseconds % kNanosPerSecond));
  return proto;
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace quantry::server
