#include "worker/trainer/html/escape.h"

#include "common/utf8.h"

namespace quantry::trainer {

std::string EscapeHtml(absl::string_view text) {
  std::string escaped;
  for (const char c : ToValidUtf8(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        escaped += byte < 0x20 || byte == 0x7F ? ' ' : c;
      }
    }
  }
  return escaped;
}

}  // namespace quantry::trainer
