#include "worker/engine/data/remote/s3_listing.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("this is no listing of a bucket: ", what, "; check AWS_ENDPOINT_URL"));
}

// The text between <name> and </name> from `*at` on, which is moved behind it; absent if there is
// none. The elements that are read here hold no others of the same name.
std::optional<absl::string_view> TakeElement(absl::string_view xml, absl::string_view name,
                                             size_t* at) {
  const std::string open = absl::StrCat("<", name, ">");
  const std::string close = absl::StrCat("</", name, ">");
  const size_t start = xml.find(open, *at);
  if (start == absl::string_view::npos) return std::nullopt;
  const size_t end = xml.find(close, start);
  if (end == absl::string_view::npos) return std::nullopt;
  *at = end + close.size();
  return xml.substr(start + open.size(), end - start - open.size());
}

std::optional<absl::string_view> FindElement(absl::string_view xml, absl::string_view name) {
  size_t at = 0;
  return TakeElement(xml, name, &at);
}

void AppendUtf8(uint32_t code, std::string* text) {
  if (code < 0x80) {
    text->push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr uint32_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text->push_back(static_cast<char>(kLead[more] | (code >> (6 * more))));
  for (int i = more - 1; i >= 0; --i) {
    text->push_back(static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F)));
  }
}

// &amp; or &#38; or &#x26; without "&" and ";".
absl::Status DecodeEntity(absl::string_view entity, std::string* text) {
  constexpr std::pair<absl::string_view, char> kNamed[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  for (const auto& [name, character] : kNamed) {
    if (entity != name) continue;
    text->push_back(character);
    return absl::OkStatus();
  }
  uint32_t code = 0;
  absl::string_view number = entity;
  const bool is_hex = absl::ConsumePrefix(&number, "#x");
  const bool is_decimal = !is_hex && absl::ConsumePrefix(&number, "#");
  const bool is_number = is_hex ? absl::SimpleHexAtoi(number, &code)
                                : is_decimal && absl::SimpleAtoi(number, &code);
  if (!is_number || code == 0 || code > 0x10FFFF) return Bad("a character in it is unknown");
  AppendUtf8(code, text);
  return absl::OkStatus();
}

absl::StatusOr<std::string> DecodeXml(absl::string_view raw) {
  std::string text;
  while (!raw.empty()) {
    const size_t ampersand = raw.find('&');
    absl::StrAppend(&text, raw.substr(0, ampersand));
    if (ampersand == absl::string_view::npos) break;
    const size_t end = raw.find(';', ampersand);
    if (end == absl::string_view::npos) return Bad("a character in it is cut short");
    QUANTRY_RETURN_IF_ERROR(
        DecodeEntity(raw.substr(ampersand + 1, end - ampersand - 1), &text));
    raw.remove_prefix(end + 1);
  }
  return text;
}

// As a form encodes: %XX, and "+" for a space.
std::string DecodeUrl(absl::string_view raw) {
  std::string text;
  for (size_t i = 0; i < raw.size(); ++i) {
    const absl::string_view digits = raw.substr(i + 1, 2);
    if (raw[i] == '%' && digits.size() == 2 && absl::ascii_isxdigit(digits[0]) &&
        absl::ascii_isxdigit(digits[1])) {
      text += absl::HexStringToBytes(digits);
      i += 2;
    } else {
      text.push_back(raw[i] == '+' ? ' ' : raw[i]);
    }
  }
  return text;
}

}  // namespace

absl::StatusOr<S3Page> ParseS3Page(absl::string_view xml) {
  if (!absl::StrContains(xml, "<ListBucketResult") ||
      !absl::StrContains(xml, "</ListBucketResult>")) {
    return Bad("it has no whole ListBucketResult");
  }
  const bool is_encoded = FindElement(xml, "EncodingType").value_or("") == "url";
  S3Page page;
  size_t at = 0;
  while (const auto contents = TakeElement(xml, "Contents", &at)) {
    const auto raw = FindElement(*contents, "Key");
    if (!raw) return Bad("an object has no key");
    QUANTRY_ASSIGN_OR_RETURN(std::string key, DecodeXml(*raw));
    if (is_encoded) key = DecodeUrl(key);
    if (key.find('\0') != std::string::npos) return Bad("a key holds a NUL");
    page.keys.push_back(std::move(key));
  }
  if (FindElement(xml, "IsTruncated").value_or("") != "true") return page;
  QUANTRY_ASSIGN_OR_RETURN(page.continuation_token,
                           DecodeXml(FindElement(xml, "NextContinuationToken").value_or("")));
  if (page.continuation_token.empty()) return Bad("there is more, and no token to ask for it");
  return page;
}

}  // namespace quantry::engine
