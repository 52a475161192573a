#include "client/cli/explain_command.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/terminal.h"
#include "common/quant_config_help.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLeastColumns = 60;
constexpr size_t kMostColumns = 100;  // longer lines read badly
constexpr absl::string_view kOverridePrefix = "overrides.";

size_t Width(size_t columns) { return std::clamp(columns, kLeastColumns, kMostColumns); }

// `label`, and from column `indent` on the text, wrapped.
void AppendHanging(std::string& out, absl::string_view label, size_t indent, absl::string_view text,
                   size_t width) {
  std::string start(label);
  start.resize(std::max(indent, label.size() + 2), ' ');
  for (const std::string& line : WrapText(text, width - indent)) {
    absl::StrAppend(&out, start, line, "\n");
    start.assign(indent, ' ');
  }
}

std::string Quote(absl::string_view name) { return absl::StrCat("\"", name, "\""); }

// What may be written around the names: "null", "a list of".
std::string AroundValues(const QuantKeyHelp& help) {
  const size_t first = help.allowed.find(Quote(help.values.front().name));
  absl::string_view around = absl::string_view(help.allowed).substr(0, first);
  return std::string(absl::StripSuffix(absl::StripSuffix(around, " "), ","));
}

void AppendAllowed(std::string& out, const QuantKeyHelp& help, size_t width) {
  constexpr size_t kIndent = 11;
  if (help.values.empty()) {
    AppendHanging(out, "  Allowed", kIndent, help.allowed, width);
    return;
  }
  size_t longest = 0;
  for (const QuantValue& value : help.values) longest = std::max(longest, value.name.size() + 2);
  std::string label = "  Allowed";
  if (const std::string around = AroundValues(help); !around.empty()) {
    AppendHanging(out, label, kIndent, around, width);
    label.clear();
  }
  for (const QuantValue& value : help.values) {
    label.resize(kIndent, ' ');
    absl::StrAppend(&label, Quote(value.name));
    AppendHanging(out, label, kIndent + longest + 2, value.meaning, width);
    label.clear();
  }
}

void AppendKeyLines(std::string& out, size_t indent, size_t width) {
  for (const QuantKeyHelp& help : QuantConfigHelp()) {
    if (absl::StartsWith(help.name, kOverridePrefix)) continue;
    AppendHanging(out, help.name, indent,
                  absl::StrCat(help.meaning, " Default: ", help.default_json), width);
  }
}

void AppendRelated(std::string& out, size_t indent, size_t width) {
  out += "\nOptions of the job that belong to it, for --set:\n";
  for (const QuantRelatedOption& option : QuantRelatedOptions()) {
    AppendHanging(out, option.name, indent, option.meaning, width);
  }
}

Json ToJson(const QuantKeyHelp& help) {
  Json json = {{"name", help.name}, {"meaning", help.meaning}};
  json["default"] = help.default_json.empty() ? Json() : Json::parse(help.default_json);
  json["allowed"] = help.allowed;
  json["effect"] = help.effect;
  for (const QuantValue& value : help.values) {
    json["values"].push_back({{"name", value.name}, {"meaning", value.meaning}});
  }
  return json;
}

absl::StatusOr<std::string> Text(const std::string& key, const CliContext& context) {
  const size_t columns = DetectTerminal(STDOUT_FILENO).columns;
  if (!context.json) {
    return key.empty() ? ExplainAllText(columns) : ExplainKeyText(key, columns);
  }
  Json json = Json::array();
  if (key.empty()) {
    for (const QuantKeyHelp& help : QuantConfigHelp()) json.push_back(ToJson(help));
  } else {
    QUANTRY_ASSIGN_OR_RETURN(const QuantKeyHelp help, FindQuantKeyHelp(key));
    json = ToJson(help);
  }
  return absl::StrCat(json.dump(), "\n");
}

}  // namespace

absl::StatusOr<std::string> ExplainKeyText(absl::string_view key, size_t columns) {
  absl::ConsumePrefix(&key, "quant.");  // as --set writes it
  QUANTRY_ASSIGN_OR_RETURN(const QuantKeyHelp help, FindQuantKeyHelp(key));
  const size_t width = Width(columns);
  std::string out = absl::StrCat(help.name, "\n");
  AppendHanging(out, "", 2, help.meaning, width);
  out += "\n";
  if (!help.default_json.empty()) {
    AppendHanging(out, "  Default", 11, help.default_json, width);
  }
  AppendAllowed(out, help, width);
  AppendHanging(out, "  Effect", 11, help.effect, width);
  if (help.name == "overrides") {
    AppendHanging(
        out, "  Example", 11,
        R"([{"pattern": "head", "weight_bits": 8}, {"pattern": "^conv1$", "skip": true}])", width);
    out += "\nKeys of an entry; more of each: quantry explain overrides.KEY\n";
    for (const QuantKeyHelp& entry : QuantConfigHelp()) {
      absl::string_view name = entry.name;
      if (!absl::ConsumePrefix(&name, kOverridePrefix)) continue;
      AppendHanging(out, absl::StrCat("  ", name), 28, entry.meaning, width);
    }
  }
  return out;
}

std::string ExplainAllText(size_t columns) {
  constexpr size_t kIndent = 28;
  const size_t width = Width(columns);
  std::string out = "Keys of quant_config; more of each: quantry explain KEY\n\n";
  AppendKeyLines(out, kIndent, width);
  AppendRelated(out, kIndent, width);
  return out;
}

int RunExplain(const std::string& key, const CliContext& context) {
  const absl::StatusOr<std::string> text = Text(key, context);
  if (!text.ok()) return context.FailUsage(text.status());
  std::cout << *text;
  return kExitOk;
}

}  // namespace quantry::client
