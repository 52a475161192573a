#include "client/request_id.h"

#include <array>
#include <cstdint>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace quantry::client {

std::string NewRequestId() {
  std::random_device device;
  std::array<char, 16> bytes;
  for (size_t i = 0; i < bytes.size(); i += 4) {
    const uint32_t word = device();
    for (size_t j = 0; j < 4; ++j) bytes[i + j] = static_cast<char>(word >> (8 * j));
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);  // variant 1
  std::string hex = absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
  for (const size_t position : {8, 13, 18, 23}) hex.insert(position, 1, '-');
  return hex;
}

bool IsRequestId(absl::string_view text) {
  // x: any hex digit, v: the variant's digit.
  constexpr absl::string_view kShape = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
  if (text.size() != kShape.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = absl::ascii_tolower(static_cast<unsigned char>(text[i]));
    const bool fits = kShape[i] == 'x'   ? absl::ascii_isxdigit(static_cast<unsigned char>(c))
                      : kShape[i] == 'v' ? c == '8' || c == '9' || c == 'a' || c == 'b'
                                         : c == kShape[i];
    if (!fits) return false;
  }
  return true;
}

}  // namespace quantry::client
