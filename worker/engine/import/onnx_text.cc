#include "worker/engine/import/onnx_text.h"

#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

constexpr size_t kMaxNameBytes = 1024;
constexpr size_t kMaxMessageBytes = 120;

// Length of the sequence that starts with `lead`, and the smallest code point that needs it.
struct Sequence {
  size_t length = 0;  // 0: not a lead byte
  uint32_t smallest = 0;
  uint32_t bits = 0;
};

Sequence SequenceOf(unsigned char lead) {
  if (lead < 0x80) return {1, 0, lead};
  if ((lead & 0xE0) == 0xC0) return {2, 0x80, lead & 0x1Fu};
  if ((lead & 0xF0) == 0xE0) return {3, 0x800, lead & 0x0Fu};
  if ((lead & 0xF8) == 0xF0) return {4, 0x10000, lead & 0x07u};
  return {};
}

bool IsCleanUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Sequence sequence = SequenceOf(static_cast<unsigned char>(text[i]));
    if (sequence.length == 0 || i + sequence.length > text.size()) return false;
    uint32_t code = sequence.bits;
    for (size_t k = 1; k < sequence.length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      code = (code << 6) | (next & 0x3Fu);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    const bool control = code < 0x20 || code == 0x7F;
    if (code < sequence.smallest || code > 0x10FFFF || surrogate || control) return false;
    i += sequence.length;
  }
  return true;
}

}  // namespace

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  if (name.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(absl::StrCat(what, " '", ForMessage(name), "' is ",
                                                   name.size(), " bytes long; allowed: at most ",
                                                   kMaxNameBytes));
  }
  if (!IsCleanUtf8(name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " '", ForMessage(name), "' is not UTF-8 text without control characters"));
  }
  return absl::OkStatus();
}

std::string ForMessage(absl::string_view name) {
  if (name.size() <= kMaxMessageBytes) return absl::CHexEscape(name);
  return absl::StrCat(absl::CHexEscape(name.substr(0, kMaxMessageBytes)), "...");
}

}  // namespace quantry::engine
