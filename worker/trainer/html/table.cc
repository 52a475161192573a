#include "worker/trainer/html/table.h"

#include "absl/strings/str_cat.h"
#include "worker/trainer/html/escape.h"

namespace quantry::trainer {
namespace {

absl::string_view ClassOf(HtmlTable::Kind kind) {
  switch (kind) {
    case HtmlTable::Kind::kText:
      return "";
    case HtmlTable::Kind::kName:
      return " class=\"name\"";
    case HtmlTable::Kind::kNumber:
    case HtmlTable::Kind::kNumberMarkup:
      return " class=\"number\"";
    case HtmlTable::Kind::kPicture:
      return " class=\"picture\"";
  }
  return "";
}

}  // namespace

std::string HtmlTable::Cell(absl::string_view tag, size_t column, absl::string_view markup) const {
  return absl::StrCat("<", tag, ClassOf(columns_[column].kind), ">", markup, "</", tag, ">");
}

void HtmlTable::AddRow(const std::vector<std::string>& cells) {
  absl::StrAppend(&rows_, "<tr>");
  for (size_t i = 0; i < columns_.size(); ++i) {
    const std::string& cell = i < cells.size() ? cells[i] : "";
    const Kind kind = columns_[i].kind;
    const bool markup = kind == Kind::kPicture || kind == Kind::kNumberMarkup;
    absl::StrAppend(&rows_, Cell("td", i, markup ? cell : EscapeHtml(cell)));
  }
  absl::StrAppend(&rows_, "</tr>\n");
}

std::string HtmlTable::Render() const {
  if (empty()) return "";
  std::string head;
  for (size_t i = 0; i < columns_.size(); ++i) {
    absl::StrAppend(&head, Cell("th", i, EscapeHtml(columns_[i].header)));
  }
  return absl::StrCat("<div class=\"scroll\"><table><thead><tr>", head, "</tr></thead><tbody>\n",
                      rows_, "</tbody></table></div>\n");
}

}  // namespace quantry::trainer
