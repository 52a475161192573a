#include "client/cli/text_table.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/format.h"

namespace quantry::client {
namespace {

bool StartsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

// The first `count` characters.
absl::string_view FirstCharacters(absl::string_view text, size_t count) {
  size_t end = 0;
  while (end < text.size()) {
    if (StartsCharacter(text[end]) && count-- == 0) break;
    ++end;
  }
  return text.substr(0, end);
}

}  // namespace

size_t DisplayWidth(absl::string_view text) {
  return static_cast<size_t>(absl::c_count_if(text, StartsCharacter));
}

std::string CutToWidth(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width < 3) return std::string(FirstCharacters(text, width));
  return absl::StrCat(FirstCharacters(text, width - 3), "...");
}

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = SanitizeLine(cell);
  rows_.push_back(std::move(cells));
}

std::string TextTable::Render() const {
  std::vector<std::string> head;
  for (const Column& column : columns_) head.push_back(column.header);
  std::vector<const std::vector<std::string>*> lines;
  if (absl::c_any_of(head, [](const std::string& text) { return !text.empty(); })) {
    lines.push_back(&head);
  }
  for (const auto& row : rows_) lines.push_back(&row);

  std::vector<size_t> widths(columns_.size(), 0);
  for (const auto* line : lines) {
    for (size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth((*line)[i]));
    }
  }
  std::string out;
  for (const auto* line : lines) {
    std::string text;
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string padding(widths[i] - DisplayWidth((*line)[i]), ' ');
      const bool right = columns_[i].align == Align::kRight;
      absl::StrAppend(&text, i == 0 ? "" : "  ", right ? padding : "", (*line)[i],
                      right ? "" : padding);
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(text), "\n");
  }
  return out;
}

}  // namespace quantry::client
