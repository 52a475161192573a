#include "worker/engine/script/source_line.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace quantry::engine {

namespace jit = torch::jit;

std::string SourceLine(const jit::Node& node) {
  jit::SourceRange range = node.sourceRange();
  if (const auto original = range.findSourceRangeThatGenerated()) range = *original;
  const auto place = range.file_line_col();
  if (!place.has_value()) return "";
  const auto& source = range.source();
  std::string line = source->get_line(source->lineno_for_offset(range.start())).str();
  absl::StripAsciiWhitespace(&line);
  if (line.size() > 120) line.resize(120);
  return absl::StrCat(" at ", std::get<0>(*place), ":", std::get<1>(*place), ": ", line);
}

}  // namespace quantry::engine
