#ifndef QUANTRY_CLIENT_CLI_TEXT_TABLE_H_
#define QUANTRY_CLIENT_CLI_TEXT_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace quantry::client {

// A table of aligned columns for people. Cells are one line of UTF-8 whose characters are one
// column wide each.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string header;
    Align align = Align::kLeft;
  };

  // Without headers: no head line.
  explicit TextTable(std::vector<Column> columns);

  // As many cells as there are columns. Control characters in them become spaces.
  void AddRow(std::vector<std::string> cells);

  bool empty() const { return rows_.empty(); }

  // Lines that end in '\n', columns two spaces apart, no spaces at the end.
  std::string Render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns that UTF-8 text takes, one per character.
size_t DisplayWidth(absl::string_view text);

// The text cut to `width` columns; what was cut ends in "...", if three columns are there.
std::string CutToWidth(absl::string_view text, size_t width);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_TEXT_TABLE_H_
