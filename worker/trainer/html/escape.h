#ifndef QUANTRY_WORKER_TRAINER_HTML_ESCAPE_H_
#define QUANTRY_WORKER_TRAINER_HTML_ESCAPE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace quantry::trainer {

// Text as it has to stand in HTML, between tags or in a quoted attribute, so that it means itself:
// & < > " ' become entities, control characters spaces, and bytes that are no UTF-8 '?'.
std::string EscapeHtml(absl::string_view text);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_HTML_ESCAPE_H_
