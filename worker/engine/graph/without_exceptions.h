#ifndef QUANTRY_WORKER_ENGINE_GRAPH_WITHOUT_EXCEPTIONS_H_
#define QUANTRY_WORKER_ENGINE_GRAPH_WITHOUT_EXCEPTIONS_H_

#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/utf8.h"

namespace quantry::engine {

// The edge where exceptions of LibTorch and the standard library end, for readers of files: calls
// `read`, which returns a StatusOr, and makes INVALID_ARGUMENT "WHAT: first line of its message" of
// what it throws. From here on messages are text, whatever of the file they quote.
template <typename Read>
auto WithoutExceptions(absl::string_view what, Read read) -> decltype(read()) {
  std::string message;
  try {
    auto result = read();
    if (result.ok()) return result;
    return absl::Status(result.status().code(), ToPlainText(result.status().message()));
  } catch (const c10::Error& error) {
    message = error.what_without_backtrace();
  } catch (const std::exception& error) {
    message = error.what();
  }
  message.resize(std::min(message.size(), message.find('\n')));
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", ToPlainText(message)));
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_GRAPH_WITHOUT_EXCEPTIONS_H_
