#include "worker/engine/data/csv_lines.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

absl::Status Bad(int64_t line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what));
}

// What is left of the text, and the line it is on.
class Cursor {
 public:
  explicit Cursor(absl::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  int64_t line() const { return line_; }

  // Takes a line break (or the end of the text), if one comes next.
  bool TakeLineEnd() {
    if (rest_.empty()) return true;
    if (!absl::ConsumePrefix(&rest_, "\r\n") && !absl::ConsumePrefix(&rest_, "\n")) return false;
    ++line_;
    return true;
  }
  bool TakeComma() { return absl::ConsumePrefix(&rest_, ","); }

  absl::StatusOr<std::string> TakeField() {
    return absl::ConsumePrefix(&rest_, "\"") ? TakeQuoted() : TakePlain();
  }

 private:
  absl::StatusOr<std::string> TakePlain() {
    absl::string_view field = rest_.substr(0, rest_.find_first_of(",\n"));
    rest_.remove_prefix(field.size());
    if (absl::EndsWith(field, "\r") && (rest_.empty() || rest_.front() == '\n')) {
      field.remove_suffix(1);
    }
    if (!absl::StrContains(field, '"')) return std::string(field);
    return Bad(line_, "a quote stands inside a field; put the field in quotes and write it twice");
  }

  absl::StatusOr<std::string> TakeQuoted() {
    const int64_t start = line_;
    std::string field;
    while (true) {
      const size_t quote = rest_.find('"');
      if (quote == absl::string_view::npos) return Bad(start, "a quoted field has no end");
      const absl::string_view part = rest_.substr(0, quote);
      line_ += std::count(part.begin(), part.end(), '\n');
      field.append(part.data(), part.size());
      rest_.remove_prefix(quote + 1);
      if (!absl::ConsumePrefix(&rest_, "\"")) break;
      field += '"';
    }
    if (rest_.empty() || rest_.front() == ',' || absl::StartsWith(rest_, "\n") ||
        absl::StartsWith(rest_, "\r\n")) {
      return field;
    }
    return Bad(line_, "text follows a closing quote");
  }

  absl::string_view rest_;
  int64_t line_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<CsvLine>> ParseCsv(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");
  std::vector<CsvLine> lines;
  Cursor cursor(text);
  while (!cursor.AtEnd()) {
    CsvLine line{.number = cursor.line(), .fields = {}};
    if (cursor.TakeLineEnd()) continue;
    do {
      QUANTRY_ASSIGN_OR_RETURN(std::string field, cursor.TakeField());
      line.fields.push_back(std::move(field));
    } while (cursor.TakeComma());
    if (!cursor.TakeLineEnd()) return Bad(cursor.line(), "a carriage return stands alone");
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace quantry::engine
