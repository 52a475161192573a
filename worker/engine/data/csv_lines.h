#ifndef QUANTRY_WORKER_ENGINE_DATA_CSV_LINES_H_
#define QUANTRY_WORKER_ENGINE_DATA_CSV_LINES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// One record of a CSV text.
struct CsvLine {
  int64_t number;  // of the line it begins on, from 1
  std::vector<std::string> fields;
};

// Splits a CSV text (RFC 4180): fields between commas, quoted by '"' where they hold a comma, a
// quote (written twice) or a line break; lines end with LF or CR LF; empty lines are passed over; a
// byte order mark at the start too. INVALID_ARGUMENT, naming the line: a quote inside an unquoted
// field, text after a closing quote, a quote that is never closed.
absl::StatusOr<std::vector<CsvLine>> ParseCsv(absl::string_view text);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_CSV_LINES_H_
