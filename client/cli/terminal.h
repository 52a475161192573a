#ifndef QUANTRY_CLIENT_CLI_TERMINAL_H_
#define QUANTRY_CLIENT_CLI_TERMINAL_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace quantry::client {

// What may be written to an output.
struct Terminal {
  bool interactive = false;  // lines may be redrawn
  bool color = false;        // SGR sequences
  bool unicode = false;      // characters outside ASCII
  size_t columns = 80;       // width at the moment of asking; >= 20
};

// Looks at a file descriptor and at TERM, NO_COLOR (no-color.org), LC_ALL, LC_CTYPE and LANG.
Terminal DetectTerminal(int fd);

enum class Color { kRed, kGreen, kYellow, kBold, kDim };

// The text in a colour, or as it is if the terminal has none.
std::string Colored(const Terminal& terminal, Color color, absl::string_view text);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_TERMINAL_H_
