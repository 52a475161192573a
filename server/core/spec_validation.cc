#include "server/core/spec_validation.h"

#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "server/core/catalog.h"
#include "server/core/error_details.h"
#include "server/core/spec_sections.h"

namespace quantry::server {
namespace {

constexpr size_t kMaxDisplayName = 128;
constexpr size_t kMaxLabels = 64;

size_t CountCharacters(const std::string& utf8) {
  return static_cast<size_t>(absl::c_count_if(
      utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool HasControlCharacters(const std::string& text) {
  return absl::c_any_of(text, [](char c) { return absl::ascii_iscntrl(c); });
}

bool IsLabelKey(const std::string& key) {
  if (key.empty() || key.size() > 63 || !absl::ascii_islower(key[0])) return false;
  return absl::c_all_of(key, [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '-';
  });
}

absl::Status CheckMode(v1::Mode mode) {
  switch (mode) {
    case v1::MODE_FLOAT:
    case v1::MODE_PTQ:
    case v1::MODE_QAT:
    case v1::MODE_EVALUATE:
    case v1::MODE_SENSITIVITY:
    case v1::MODE_MIXED_PRECISION:
      return absl::OkStatus();
    default:
      return BadRequestError(
          "INVALID_SPEC",
          {{"spec.mode", absl::StrCat("is ", static_cast<int>(mode),
                                      "; allowed: MODE_FLOAT, MODE_PTQ, MODE_QAT, MODE_EVALUATE, "
                                      "MODE_SENSITIVITY, MODE_MIXED_PRECISION")}});
  }
}

void CheckDeviceCount(const v1::JobSpec& spec, Violations& violations) {
  const int32_t count = spec.resources().device_count();
  violations.Require(count >= 0 && count <= kMaxDeviceCount, "spec.resources.device_count", count,
                     absl::StrCat("0 to ", kMaxDeviceCount));
  if (count <= 1 || count > kMaxDeviceCount) return;
  const bool trains = spec.mode() == v1::MODE_FLOAT || spec.mode() == v1::MODE_QAT ||
                      spec.mode() == v1::MODE_MIXED_PRECISION;
  violations.Require(trains, "spec.resources.device_count",
                     absl::StrCat(count, " with ", v1::Mode_Name(spec.mode())),
                     "more than 1 with MODE_FLOAT, MODE_QAT and MODE_MIXED_PRECISION, which "
                     "train");
  violations.Require(spec.resources().device_kind() == "cpu", "spec.resources.device_kind",
                     absl::StrCat("'", spec.resources().device_kind(), "'"),
                     "'cpu' where device_count is larger than 1");
  const v1::TrainingOptions& training = spec.training();
  violations.Require(!training.has_batch_size() || training.batch_size() >= count,
                     "spec.training.batch_size", training.batch_size(),
                     absl::StrCat("at least device_count, ", count,
                                  ": every batch is divided among the processes"));
}

// Options of several processes mean nothing to one.
void CheckSynchronisation(const v1::JobSpec& spec, Violations& violations) {
  if (!spec.training().has_sync_batch_norm() || spec.resources().device_count() > 1) return;
  violations.Add("spec.training.sync_batch_norm",
                 "has no effect unless resources.device_count is larger than 1; leave it out");
}

void CheckResources(const v1::Resources& resources, Violations& violations) {
  const std::string& kind = resources.device_kind();
  violations.Require(kind.empty() || kind == "cpu" || kind == "cuda", "spec.resources.device_kind",
                     absl::StrCat("'", kind, "'"), "'' (any), 'cpu', 'cuda'");
  violations.Require(resources.device_memory_bytes() >= 0, "spec.resources.device_memory_bytes",
                     resources.device_memory_bytes(), "0 (any) or more");
}

void CheckLabels(const v1::JobSpec& spec, Violations& violations) {
  violations.Require(spec.labels_size() <= static_cast<int>(kMaxLabels), "spec.labels",
                     absl::StrCat(spec.labels_size(), " entries"),
                     absl::StrCat("at most ", kMaxLabels));
  for (const auto& [key, value] : spec.labels()) {
    violations.Require(IsLabelKey(key), "spec.labels",
                       absl::StrCat("keyed '", key.substr(0, 80), "'"),
                       "keys of the form [a-z][a-z0-9_-]{0,62}");
    violations.Require(!HasControlCharacters(value),
                       absl::StrCat("spec.labels.", key.substr(0, 80)),
                       "a text with control characters", "characters that can be shown");
    violations.Require(CountCharacters(value) <= 63,
                       absl::StrCat("spec.labels.", key.substr(0, 80)),
                       absl::StrCat(CountCharacters(value), " characters long"), "at most 63");
  }
}

void CheckDeadline(const google::protobuf::Duration& deadline, absl::string_view field,
                   Violations& violations) {
  violations.Require(
      deadline.seconds() >= 0 && deadline.nanos() >= 0 && deadline.nanos() < 1'000'000'000 &&
          deadline.seconds() <= 315'576'000'000 && deadline.seconds() + deadline.nanos() > 0,
      field, absl::StrCat(deadline.seconds(), " s ", deadline.nanos(), " ns"),
      "longer than 0 s, at most 10,000 years");
}

void CheckScheduling(const v1::JobSpec& spec, Violations& violations) {
  if (spec.has_max_attempts()) {
    violations.Require(spec.max_attempts() >= 1 && spec.max_attempts() <= 100, "spec.max_attempts",
                       spec.max_attempts(), "1 to 100");
  }
  if (spec.has_priority()) {
    violations.Require(spec.priority() >= -1000 && spec.priority() <= 1000, "spec.priority",
                       spec.priority(), "-1000 to 1000");
  }
  if (spec.has_run_deadline()) {
    CheckDeadline(spec.run_deadline(), "spec.run_deadline", violations);
  }
  if (spec.has_queue_deadline()) {
    CheckDeadline(spec.queue_deadline(), "spec.queue_deadline", violations);
  }
}

}  // namespace

absl::Status ValidateJobSpec(const v1::JobSpec& spec) {
  QUANTRY_RETURN_IF_ERROR(CheckMode(spec.mode()));
  Violations violations;
  violations.Require(CountCharacters(spec.display_name()) <= kMaxDisplayName, "spec.display_name",
                     absl::StrCat(CountCharacters(spec.display_name()), " characters long"),
                     absl::StrCat("at most ", kMaxDisplayName));
  violations.Require(!HasControlCharacters(spec.display_name()), "spec.display_name",
                     "a text with control characters", "characters that can be shown");
  CheckModelSource(spec.model(), violations);
  CheckDataOptions(spec.data(), violations);
  CheckTrainingOptions(spec.training(), spec.mode(), violations);
  CheckQuantization(spec, violations);
  CheckModeOptions(spec, violations);
  CheckResources(spec.resources(), violations);
  CheckDeviceCount(spec, violations);
  CheckSynchronisation(spec, violations);
  CheckLabels(spec, violations);
  CheckScheduling(spec, violations);
  return violations.ToStatus("INVALID_SPEC");
}

}  // namespace quantry::server
