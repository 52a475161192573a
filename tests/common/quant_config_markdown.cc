#include "tests/common/quant_config_markdown.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/quant_config_help.h"

namespace quantry {
namespace {

constexpr size_t kColumns = 100;

std::string Wrapped(absl::string_view text) {
  return absl::StrCat(absl::StrJoin(WrapText(text, kColumns), "\n"), "\n");
}

std::string InCell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

bool IsOfOverride(const QuantKeyHelp& help) { return absl::StartsWith(help.name, "overrides."); }

void AppendSection(std::string& out, const QuantKeyHelp& help) {
  absl::StrAppend(&out, "\n#", "##", " ", help.name, "\n", Wrapped(help.meaning), "\n");
  if (!help.default_json.empty()) absl::StrAppend(&out, "- Default: `", help.default_json, "`\n");
  absl::StrAppend(&out, "- Allowed: ", help.allowed, "\n");
  absl::StrAppend(&out, "- Effect: ", help.effect, "\n");
  if (help.values.empty()) return;
  out += "\n| value | what it is |\n| --- | --- |\n";
  for (const QuantValue& value : help.values) {
    absl::StrAppend(&out, "| `\"", value.name, "\"` | ", InCell(value.meaning), " |\n");
  }
}

}  // namespace

std::string QuantConfigMarkdown() {
  std::string out;
  for (const QuantKeyHelp& help : QuantConfigHelp()) {
    if (!IsOfOverride(help)) {
      AppendSection(out, help);
      if (help.name == "overrides")
        out += "\n| key of an entry | meaning | allowed |\n| --- | --- | --- |\n";
      continue;
    }
    const std::string name = help.name.substr(help.name.find('.') + 1);
    absl::StrAppend(&out, "| `", name, "` | ", InCell(help.meaning), " ", InCell(help.effect),
                    " | ", InCell(help.allowed), " |\n");
  }
  out += "\n## Options of the job that belong to it\n";
  out +=
      "They are no keys of quant_config: `quantry submit --set NAME=VALUE`, or the job's spec.\n\n";
  out += "| option | meaning |\n| --- | --- |\n";
  for (const QuantRelatedOption& option : QuantRelatedOptions()) {
    absl::StrAppend(&out, "| `", option.name, "` | ", InCell(option.meaning), " |\n");
  }
  return out;
}

}  // namespace quantry
