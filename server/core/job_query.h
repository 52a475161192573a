#ifndef QUANTRY_SERVER_CORE_JOB_QUERY_H_
#define QUANTRY_SERVER_CORE_JOB_QUERY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "quantry/v1/event.pb.h"

namespace quantry::server {

// What jobs are searched and ordered by.
enum class JobField {
  kState,
  kMode,
  kDisplayName,
  kPriority,
  kAttempt,
  kWorker,
  kNamespace,
  kCreateTime,
  kUpdateTime,
  kEndTime,
  kLabel,
};

// How a field's values are written and compared.
enum class JobFieldType { kState, kMode, kText, kNumber, kTime, kLabel };

struct JobFieldInfo {
  absl::string_view name;  // as clients write it
  JobField field;
  JobFieldType type;
  bool sortable;
};

// All fields, one line each.
absl::Span<const JobFieldInfo> JobFields();
const JobFieldInfo* FindJobField(absl::string_view name);

enum class FilterOp { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kHas };

// A condition on jobs: a tree whose leaves compare one field with one value.
struct JobFilter {
  enum class Kind { kAnd, kOr, kNot, kCompare };

  Kind kind = Kind::kCompare;
  std::vector<JobFilter> children;  // kAnd, kOr: two or more; kNot: one

  // kCompare.
  JobField field = JobField::kState;
  FilterOp op = FilterOp::kEqual;
  std::string label;   // kLabel: its key
  std::string text;    // kText, kLabel: the value; kHas: what the text contains; label: "*"
  int64_t number = 0;  // other types; times in microseconds since 1970
};

struct JobOrder {
  JobField field = JobField::kCreateTime;
  bool descending = true;
};

// Which jobs ListJobs returns. Jobs with equal values follow their ids.
struct JobQuery {
  // The last job of the page before: its id and its value of the field that orders.
  struct After {
    std::string id;
    std::string text;    // kText
    int64_t number = 0;  // other types
  };

  std::vector<std::string> namespaces;  // empty: all
  std::vector<v1::JobState> states;     // empty: all; repeats count once
  std::optional<JobFilter> filter;
  JobOrder order;
  std::optional<After> after;
  int limit = 50;
  bool show_deleted = false;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_QUERY_H_
