#include "server/core/job_query.h"

#include "absl/algorithm/container.h"

namespace quantry::server {
namespace {

using Type = JobFieldType;

constexpr JobFieldInfo kFields[] = {
    {"state", JobField::kState, Type::kState, false},
    {"mode", JobField::kMode, Type::kMode, false},
    {"display_name", JobField::kDisplayName, Type::kText, true},
    {"priority", JobField::kPriority, Type::kNumber, true},
    {"attempt", JobField::kAttempt, Type::kNumber, false},
    {"worker", JobField::kWorker, Type::kText, false},
    {"namespace", JobField::kNamespace, Type::kText, false},
    {"create_time", JobField::kCreateTime, Type::kTime, true},
    {"update_time", JobField::kUpdateTime, Type::kTime, true},
    {"end_time", JobField::kEndTime, Type::kTime, true},
    {"labels", JobField::kLabel, Type::kLabel, false},
};

}  // namespace

absl::Span<const JobFieldInfo> JobFields() { return kFields; }

const JobFieldInfo* FindJobField(absl::string_view name) {
  const auto* found =
      absl::c_find_if(kFields, [&](const JobFieldInfo& info) { return info.name == name; });
  return found == std::end(kFields) ? nullptr : found;
}

}  // namespace quantry::server
