#ifndef QUANTRY_SERVER_CORE_NAMESPACE_H_
#define QUANTRY_SERVER_CORE_NAMESPACE_H_

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace quantry::server {

// Where jobs are whose submitter says nothing else.
inline constexpr absl::string_view kDefaultNamespace = "default";

// Whether `name` is of the form [a-z][a-z0-9-]{0,62}.
inline bool IsNamespace(absl::string_view name) {
  if (name.empty() || name.size() > 63 || !absl::ascii_islower(name[0])) return false;
  return absl::c_all_of(
      name, [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; });
}

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_NAMESPACE_H_
