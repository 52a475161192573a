#include "worker/engine/data/remote/s3_listing.h"

#include <pugixml.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("this is no listing of a bucket: ", what, "; check AWS_ENDPOINT_URL"));
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
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed) return Bad(parsed.description());
  const pugi::xml_node result = document.child("ListBucketResult");
  if (!result) return Bad("it has no ListBucketResult");
  const bool is_encoded = absl::string_view(result.child_value("EncodingType")) == "url";
  S3Page page;
  for (const pugi::xml_node& contents : result.children("Contents")) {
    std::string key = contents.child_value("Key");
    if (is_encoded) key = DecodeUrl(key);
    if (key.empty()) return Bad("an object has no key");
    if (key.find('\0') != std::string::npos) return Bad("a key holds a NUL");
    page.keys.push_back(std::move(key));
  }
  if (absl::string_view(result.child_value("IsTruncated")) != "true") return page;
  page.continuation_token = result.child_value("NextContinuationToken");
  if (page.continuation_token.empty()) return Bad("there is more, and no token to ask for it");
  return page;
}

}  // namespace quantry::engine
