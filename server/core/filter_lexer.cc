#include "server/core/filter_lexer.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

using Kind = FilterToken::Kind;

bool IsWordByte(char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/' || c == '+' ||
         c == '*' || (static_cast<unsigned char>(c) & 0x80) != 0;
}

// A time's colons belong to it: "2026-01-02T03:04:05Z".
bool IsTimeColon(absl::string_view text, size_t place) {
  return place >= 3 && place + 1 < text.size() && absl::ascii_isdigit(text[place - 1]) &&
         absl::ascii_isdigit(text[place + 1]) &&
         (text[place - 3] == 'T' || text[place - 3] == ':' || text[place - 3] == '+' ||
          text[place - 3] == '-');
}

absl::StatusOr<FilterToken> ReadQuoted(absl::string_view text, size_t& place) {
  FilterToken token{.kind = Kind::kText, .text = "", .place = place};
  const char quote = text[place++];
  for (; place < text.size() && text[place] != quote; ++place) {
    if (text[place] == '\\' && place + 1 < text.size()) ++place;
    token.text.push_back(text[place]);
  }
  if (place == text.size()) return FilterError(token.place, "a quoted text is not closed");
  ++place;
  return token;
}

FilterToken ReadOperator(absl::string_view text, size_t& place) {
  FilterToken token{.kind = Kind::kOperator, .text = "", .place = place};
  const bool two =
      place + 1 < text.size() && text[place + 1] == '=' && text[place] != '=' && text[place] != ':';
  token.text = std::string(text.substr(place, two ? 2 : 1));
  place += token.text.size();
  return token;
}

FilterToken ReadWord(absl::string_view text, size_t& place) {
  const size_t start = place;
  while (place < text.size() &&
         (IsWordByte(text[place]) || (text[place] == ':' && IsTimeColon(text, place)))) {
    ++place;
  }
  return {
      .kind = Kind::kWord, .text = std::string(text.substr(start, place - start)), .place = start};
}

absl::StatusOr<FilterToken> ReadToken(absl::string_view text, size_t& place) {
  const char c = text[place];
  const bool before_word = place + 1 < text.size() && !absl::ascii_isdigit(text[place + 1]);
  switch (c) {
    case '(':
      return FilterToken{.kind = Kind::kOpen, .text = "(", .place = place++};
    case ')':
      return FilterToken{.kind = Kind::kClose, .text = ")", .place = place++};
    case '"':
    case '\'':
      return ReadQuoted(text, place);
    case '=':
    case '!':
    case '<':
    case '>':
    case ':':
      return ReadOperator(text, place);
    case '-':
      if (before_word) return FilterToken{.kind = Kind::kMinus, .text = "-", .place = place++};
      return ReadWord(text, place);
    default:
      if (IsWordByte(c)) return ReadWord(text, place);
      return FilterError(place, absl::StrCat("unexpected character '", std::string(1, c), "'"));
  }
}

}  // namespace

absl::Status FilterError(size_t place, absl::string_view what) {
  return BadRequestError("INVALID_FILTER",
                         {{"filter", absl::StrCat("at character ", place + 1, ": ", what)}});
}

absl::StatusOr<std::vector<FilterToken>> SplitFilter(absl::string_view text) {
  std::vector<FilterToken> tokens;
  size_t place = 0;
  while (true) {
    while (place < text.size() && absl::ascii_isspace(text[place])) ++place;
    if (place == text.size()) break;
    QUANTRY_ASSIGN_OR_RETURN(FilterToken token, ReadToken(text, place));
    tokens.push_back(std::move(token));
  }
  tokens.push_back({.kind = Kind::kEnd, .text = "", .place = text.size()});
  return tokens;
}

}  // namespace quantry::server
