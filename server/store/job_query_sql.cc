#include "server/store/job_query_sql.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "server/store/sql_rows.h"

namespace quantry::server {
namespace {

absl::string_view Column(JobField field) {
  switch (field) {
    case JobField::kState:
      return "state";
    case JobField::kMode:
      return "mode";
    case JobField::kDisplayName:
      return "display_name";
    case JobField::kPriority:
      return "priority";
    case JobField::kAttempt:
      return "attempt";
    case JobField::kWorker:
      return "worker";
    case JobField::kNamespace:
      return "namespace";
    case JobField::kCreateTime:
      return "create_time";
    case JobField::kUpdateTime:
      return "update_time";
    case JobField::kEndTime:
      return "end_time";
    case JobField::kLabel:
      return "value";
  }
  return "id";
}

bool IsText(JobField field) {
  return field == JobField::kDisplayName || field == JobField::kWorker ||
         field == JobField::kNamespace || field == JobField::kLabel;
}

absl::string_view Operator(FilterOp op) {
  switch (op) {
    case FilterOp::kEqual:
      return " = ?";
    case FilterOp::kNotEqual:
      return " <> ?";
    case FilterOp::kLess:
      return " < ?";
    case FilterOp::kLessEqual:
      return " <= ?";
    case FilterOp::kGreater:
      return " > ?";
    case FilterOp::kGreaterEqual:
      return " >= ?";
    case FilterOp::kHas:
      return " LIKE ? ESCAPE '\\'";
  }
  return "";
}

std::string Contains(absl::string_view text) {
  return absl::StrCat("%", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"%", "\\%"}, {"_", "\\_"}}),
                      "%");
}

class Builder {
 public:
  explicit Builder(JobQuerySql& out) : out_(out) {}

  void Text(absl::string_view sql) { absl::StrAppend(&out_.sql, sql); }
  void Number(int64_t value) { out_.values.emplace_back(value); }
  void Word(std::string value) { out_.values.emplace_back(std::move(value)); }

  void Filter(const JobFilter& filter) {
    switch (filter.kind) {
      case JobFilter::Kind::kAnd:
        return Join(filter, " AND ");
      case JobFilter::Kind::kOr:
        return Join(filter, " OR ");
      case JobFilter::Kind::kNot:
        Text("NOT (");
        Filter(filter.children.front());
        return Text(")");
      case JobFilter::Kind::kCompare:
        return filter.field == JobField::kLabel ? Label(filter) : Compare(filter);
    }
  }

  // Behind the last job of the page before.
  void After(const JobOrder& order, const JobQuery::After& after) {
    const absl::string_view less = order.descending ? " < " : " > ";
    if (order.field == JobField::kCreateTime) {  // ids are in the order of creation
      Text(absl::StrCat(" AND id", less, "?"));
      return Word(after.id);
    }
    const absl::string_view column = Column(order.field);
    Text(absl::StrCat(" AND (", column, less, "? OR (", column, " = ? AND id", less, "?))"));
    for (int i = 0; i < 2; ++i) {
      if (IsText(order.field)) {
        Word(after.text);
      } else {
        Number(after.number);
      }
    }
    Word(after.id);
  }

 private:
  void Join(const JobFilter& filter, absl::string_view word) {
    absl::string_view separator = "(";
    for (const JobFilter& child : filter.children) {
      Text(separator);
      Filter(child);
      separator = word;
    }
    Text(")");
  }

  void Compare(const JobFilter& filter) {
    Text(absl::StrCat(Column(filter.field), Operator(filter.op)));
    if (!IsText(filter.field)) return Number(filter.number);
    Word(filter.op == FilterOp::kHas ? Contains(filter.text) : filter.text);
  }

  // A job without the label is not equal to any value.
  void Label(const JobFilter& filter) {
    const bool any = filter.op == FilterOp::kHas && filter.text == "*";
    if (filter.op == FilterOp::kNotEqual) Text("NOT ");
    Text("EXISTS (SELECT 1 FROM job_labels WHERE job_id = jobs.id AND name = ?");
    Word(filter.label);
    if (!any) {
      const bool has = filter.op == FilterOp::kHas;
      Text(absl::StrCat(" AND value", Operator(has ? FilterOp::kHas : FilterOp::kEqual)));
      Word(has ? Contains(filter.text) : filter.text);
    }
    Text(")");
  }

  JobQuerySql& out_;
};

}  // namespace

void JobQuerySql::Bind(SqlStatement& statement) const {
  for (const auto& value : values) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      statement.BindInt(*number);
    } else {
      statement.BindText(std::get<std::string>(value));
    }
  }
}

JobQuerySql MakeJobQuerySql(const JobQuery& query) {
  JobQuerySql out;
  Builder builder(out);
  builder.Text(absl::StrCat("SELECT ", kJobColumns, " FROM jobs WHERE id <> ''"));
  if (!query.show_deleted) builder.Text(" AND delete_time = 0");
  const std::set<int> states(query.states.begin(), query.states.end());
  if (!states.empty())
    builder.Text(absl::StrCat(" AND state IN (", absl::StrJoin(states, ","), ")"));
  if (!query.namespaces.empty()) {
    absl::string_view separator = " AND namespace IN (";
    for (const std::string& name : query.namespaces) {
      builder.Text(absl::StrCat(separator, "?"));
      builder.Word(name);
      separator = ", ";
    }
    builder.Text(")");
  }
  if (query.filter.has_value()) {
    builder.Text(" AND ");
    builder.Filter(*query.filter);
  }
  if (query.after.has_value()) builder.After(query.order, *query.after);
  const absl::string_view direction = query.order.descending ? " DESC" : "";
  builder.Text(" ORDER BY ");
  if (query.order.field != JobField::kCreateTime) {
    builder.Text(absl::StrCat(Column(query.order.field), direction, ", "));
  }
  builder.Text(absl::StrCat("id", direction, " LIMIT ?"));
  builder.Number(query.limit);
  return out;
}

}  // namespace quantry::server
