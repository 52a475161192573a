#ifndef QUANTRY_SERVER_CORE_VIOLATIONS_H_
#define QUANTRY_SERVER_CORE_VIOLATIONS_H_

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/core/error_details.h"

namespace quantry::server {

// Collects what is wrong with a request, so that one answer names every field. Not thread-safe.
class Violations {
 public:
  void Add(absl::string_view field, absl::string_view description) {
    list_.push_back({std::string(field), std::string(description)});
  }

  // Adds a violation unless `good`; `value` is what was given, `allowed` what may be.
  template <typename T>
  void Require(bool good, absl::string_view field, const T& value, absl::string_view allowed) {
    if (!good) Add(field, absl::StrCat("is ", value, "; allowed: ", allowed));
  }

  // OK, or INVALID_ARGUMENT with `reason` and a BadRequest.
  absl::Status ToStatus(absl::string_view reason) const {
    return list_.empty() ? absl::OkStatus() : BadRequestError(reason, list_);
  }

 private:
  std::vector<FieldViolation> list_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_VIOLATIONS_H_
