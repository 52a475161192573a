#ifndef QUANTRY_SERVER_CORE_FILTER_LEXER_H_
#define QUANTRY_SERVER_CORE_FILTER_LEXER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::server {

// One piece of a filter's text.
struct FilterToken {
  enum class Kind { kWord, kText, kOperator, kOpen, kClose, kMinus, kEnd };

  Kind kind = Kind::kEnd;
  std::string text;  // kWord: as written; kText: without quotes and escapes; kOperator: "<="
  size_t place = 0;  // of its first byte, from 0
};

// The pieces, the last of which is kEnd. INVALID_ARGUMENT as FilterError makes it.
absl::StatusOr<std::vector<FilterToken>> SplitFilter(absl::string_view text);

// INVALID_ARGUMENT with reason INVALID_FILTER, for the piece at byte `place`.
absl::Status FilterError(size_t place, absl::string_view what);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_FILTER_LEXER_H_
