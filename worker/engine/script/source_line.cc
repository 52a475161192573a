#include "worker/engine/script/source_line.h"

#include "absl/strings/str_cat.h"

namespace quantry::engine {

namespace jit = torch::jit;

std::string SourceLine(const jit::Node& node) {
  jit::SourceRange range = node.sourceRange();
  if (const auto original = range.findSourceRangeThatGenerated()) range = *original;
  const auto place = range.file_line_col();
  if (!place.has_value()) return "";
  std::string text = range.text().str();
  if (const size_t end = text.find('\n'); end != std::string::npos) text.resize(end);
  if (text.size() > 120) text.resize(120);
  return absl::StrCat(" at ", std::get<0>(*place), ":", std::get<1>(*place), ": ", text);
}

}  // namespace quantry::engine
