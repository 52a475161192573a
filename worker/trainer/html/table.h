#ifndef QUANTRY_WORKER_TRAINER_HTML_TABLE_H_
#define QUANTRY_WORKER_TRAINER_HTML_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace quantry::trainer {

// An HTML table, row by row. Text is escaped here; pictures are markup of chart.h. Not thread-safe.
class HtmlTable {
 public:
  enum class Kind { kText, kName, kNumber, kNumberMarkup, kPicture };
  struct Column {
    std::string header;
    Kind kind = Kind::kText;
  };

  explicit HtmlTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell per column; of kPicture and kNumberMarkup columns markup, of all others text.
  void AddRow(const std::vector<std::string>& cells);

  bool empty() const { return rows_.empty(); }
  // Empty if there are no rows.
  std::string Render() const;

 private:
  std::string Cell(absl::string_view tag, size_t column, absl::string_view markup) const;

  const std::vector<Column> columns_;
  std::string rows_;
};

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_HTML_TABLE_H_
