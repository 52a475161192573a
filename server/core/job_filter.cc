#include "server/core/job_filter.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "quantry/v1/spec.pb.h"
#include "server/core/error_details.h"
#include "server/core/filter_lexer.h"

namespace quantry::server {
namespace {

using Kind = FilterToken::Kind;

constexpr int kMaxDepth = 32;
constexpr int kMaxComparisons = 64;

std::string FieldNames(bool sortable_only) {
  std::vector<std::string> names;
  for (const JobFieldInfo& info : JobFields()) {
    if (sortable_only && !info.sortable) continue;
    names.push_back(absl::StrCat(info.name, info.type == JobFieldType::kLabel ? ".KEY" : ""));
  }
  return absl::StrJoin(names, ", ");
}

// What a type's values look like, for messages.
absl::string_view Allowed(JobFieldType type) {
  switch (type) {
    case JobFieldType::kState:
      return "QUEUED, LEASED, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELLED";
    case JobFieldType::kMode:
      return "FLOAT, PTQ, QAT, EVALUATE, SENSITIVITY, MIXED_PRECISION";
    case JobFieldType::kNumber:
      return "a whole number";
    case JobFieldType::kTime:
      return "a time as \"2026-01-31T12:00:00Z\"";
    case JobFieldType::kText:
    case JobFieldType::kLabel:
      return "a text";
  }
  return "";
}

absl::string_view AllowedOps(JobFieldType type) {
  switch (type) {
    case JobFieldType::kState:
    case JobFieldType::kMode:
      return "= !=";
    case JobFieldType::kText:
    case JobFieldType::kLabel:
      return "= != :";
    case JobFieldType::kNumber:
    case JobFieldType::kTime:
      return "= != < <= > >=";
  }
  return "";
}

constexpr std::pair<absl::string_view, FilterOp> kOps[] = {
    {"=", FilterOp::kEqual},      {"!=", FilterOp::kNotEqual}, {"<", FilterOp::kLess},
    {"<=", FilterOp::kLessEqual}, {">", FilterOp::kGreater},   {">=", FilterOp::kGreaterEqual},
    {":", FilterOp::kHas},
};

bool ReadValue(JobFieldType type, const std::string& text, JobFilter& filter) {
  switch (type) {
    case JobFieldType::kState: {
      v1::JobState state;
      const std::string name = absl::AsciiStrToUpper(text);
      if (!v1::JobState_Parse(absl::StrCat("JOB_STATE_", absl::StripPrefix(name, "JOB_STATE_")),
                              &state)) {
        return false;
      }
      filter.number = state;
      return true;
    }
    case JobFieldType::kMode: {
      v1::Mode mode;
      const std::string name = absl::AsciiStrToUpper(text);
      if (!v1::Mode_Parse(absl::StrCat("MODE_", absl::StripPrefix(name, "MODE_")), &mode)) {
        return false;
      }
      filter.number = mode;
      return true;
    }
    case JobFieldType::kNumber:
      return absl::SimpleAtoi(text, &filter.number);
    case JobFieldType::kTime: {
      absl::Time time;
      std::string error;
      if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return false;
      filter.number = absl::ToUnixMicros(time);
      return true;
    }
    case JobFieldType::kText:
    case JobFieldType::kLabel:
      filter.text = text;
      return true;
  }
  return false;
}

// Recursive descent over the tokens; AIP-160's grammar.
class FilterParser {
 public:
  explicit FilterParser(std::vector<FilterToken> tokens) : tokens_(std::move(tokens)) {}

  absl::StatusOr<JobFilter> Parse() {
    QUANTRY_ASSIGN_OR_RETURN(JobFilter filter, Expression(0));
    if (Next().kind != Kind::kEnd) {
      return FilterError(Next().place,
                         absl::StrCat("'", Next().text, "' where AND, OR or the end is allowed"));
    }
    return filter;
  }

 private:
  const FilterToken& Next() const { return tokens_[next_]; }
  bool TakeWord(absl::string_view word) {
    if (Next().kind != Kind::kWord || Next().text != word) return false;
    ++next_;
    return true;
  }

  // Factors joined by AND.
  absl::StatusOr<JobFilter> Expression(int depth) {
    if (depth > kMaxDepth) {
      return FilterError(Next().place, absl::StrCat("more than ", kMaxDepth, " levels deep"));
    }
    JobFilter all{.kind = JobFilter::Kind::kAnd};
    do {
      QUANTRY_ASSIGN_OR_RETURN(JobFilter factor, Factor(depth));
      all.children.push_back(std::move(factor));
    } while (TakeWord("AND"));
    return all.children.size() == 1 ? std::move(all.children.front()) : std::move(all);
  }

  // Terms joined by OR.
  absl::StatusOr<JobFilter> Factor(int depth) {
    JobFilter any{.kind = JobFilter::Kind::kOr};
    do {
      QUANTRY_ASSIGN_OR_RETURN(JobFilter term, Term(depth));
      any.children.push_back(std::move(term));
    } while (TakeWord("OR"));
    return any.children.size() == 1 ? std::move(any.children.front()) : std::move(any);
  }

  absl::StatusOr<JobFilter> Term(int depth) {
    const bool minus = Next().kind == Kind::kMinus;
    if (minus) ++next_;
    if (!minus && !TakeWord("NOT")) return Simple(depth);
    JobFilter negated{.kind = JobFilter::Kind::kNot};
    QUANTRY_ASSIGN_OR_RETURN(JobFilter inner, Simple(depth));
    negated.children.push_back(std::move(inner));
    return negated;
  }

  absl::StatusOr<JobFilter> Simple(int depth) {
    if (Next().kind != Kind::kOpen) return Comparison();
    ++next_;
    QUANTRY_ASSIGN_OR_RETURN(JobFilter inner, Expression(depth + 1));
    if (Next().kind != Kind::kClose) return FilterError(Next().place, "')' is missing");
    ++next_;
    return inner;
  }

  absl::StatusOr<JobFilter> Comparison() {
    const FilterToken name = Next();
    if (++comparisons_ > kMaxComparisons) {
      return FilterError(name.place, absl::StrCat("more than ", kMaxComparisons, " comparisons"));
    }
    const bool is_label = absl::StartsWith(name.text, "labels.");
    const JobFieldInfo* info =
        name.kind == Kind::kWord ? FindJobField(is_label ? "labels" : name.text) : nullptr;
    if (info == nullptr) {
      return FilterError(name.place, absl::StrCat("'", name.text.substr(0, 80),
                                                  "' is no field; allowed: ", FieldNames(false)));
    }
    ++next_;
    JobFilter filter{.field = info->field};
    if (is_label) filter.label = name.text.substr(7);
    QUANTRY_RETURN_IF_ERROR(Operator(*info, filter));
    QUANTRY_RETURN_IF_ERROR(Value(*info, filter));
    return filter;
  }

  absl::Status Operator(const JobFieldInfo& info, JobFilter& filter) {
    const FilterToken token = Next();
    bool known = false;
    for (const auto& [text, op] : kOps) {
      if (token.kind != Kind::kOperator || token.text != text) continue;
      filter.op = op;
      known = true;
    }
    const std::vector<absl::string_view> allowed = absl::StrSplit(AllowedOps(info.type), ' ');
    if (!known || !absl::c_linear_search(allowed, token.text)) {
      return FilterError(token.place, absl::StrCat("'", token.text, "' after ", info.name,
                                                   "; allowed: ", AllowedOps(info.type)));
    }
    const bool bare_labels = info.type == JobFieldType::kLabel && filter.label.empty();
    if (bare_labels && filter.op != FilterOp::kHas) {
      return FilterError(token.place, "labels takes a key: labels.KEY = VALUE, or labels:KEY");
    }
    ++next_;
    return absl::OkStatus();
  }

  absl::Status Value(const JobFieldInfo& info, JobFilter& filter) {
    const FilterToken token = Next();
    const bool is_value = token.kind == Kind::kWord || token.kind == Kind::kText;
    if (!is_value || !ReadValue(info.type, token.text, filter)) {
      return FilterError(token.place,
                         absl::StrCat(info.name, " is compared with '", token.text.substr(0, 80),
                                      "'; allowed: ", Allowed(info.type)));
    }
    if (info.type == JobFieldType::kLabel && filter.label.empty()) {
      filter.label = std::exchange(filter.text, "*");
    }
    ++next_;
    return absl::OkStatus();
  }

  const std::vector<FilterToken> tokens_;
  size_t next_ = 0;
  int comparisons_ = 0;
};

}  // namespace

absl::StatusOr<JobFilter> ParseJobFilter(absl::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return FilterError(kMaxFilterBytes,
                       absl::StrCat("the filter is ", text.size(), " bytes long; allowed: at most ",
                                    kMaxFilterBytes));
  }
  QUANTRY_ASSIGN_OR_RETURN(std::vector<FilterToken> tokens, SplitFilter(text));
  return FilterParser(std::move(tokens)).Parse();
}

absl::StatusOr<JobOrder> ParseJobOrder(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  const JobFieldInfo* info = words.empty() ? nullptr : FindJobField(words[0]);
  const bool directed = words.size() == 2 && (words[1] == "asc" || words[1] == "desc");
  if (info == nullptr || !info->sortable || (words.size() != 1 && !directed)) {
    return BadRequestError(
        "INVALID_ORDER",
        {{"order_by", absl::StrCat("is '", text.substr(0, 80),
                                   "'; allowed: one field, then nothing, asc or desc; fields: ",
                                   FieldNames(true))}});
  }
  return JobOrder{.field = info->field, .descending = directed && words[1] == "desc"};
}

}  // namespace quantry::server
