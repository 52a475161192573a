#include "common/quant_config_help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/quant_config.h"
#include "tests/common/quant_config_markdown.h"

namespace quantry {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kBegin[] = "<!-- The table of keys begins: written by a test -->\n";
constexpr char kEnd[] = "<!-- The table of keys ends -->\n";

TEST(QuantConfigHelpTest, EveryKeyHasAllTextsAndItsRealDefault) {
  const auto defaults = nlohmann::json::parse(QuantConfigToJson(QuantConfig()));
  std::set<std::string> names;
  for (const QuantKeyHelp& help : QuantConfigHelp()) {
    EXPECT_TRUE(names.insert(help.name).second) << help.name;
    EXPECT_THAT(help.meaning, EndsWith(".")) << help.name;
    EXPECT_THAT(help.effect, EndsWith(".")) << help.name;
    EXPECT_FALSE(help.allowed.empty()) << help.name;
    EXPECT_THAT(help.allowed, Not(HasSubstr("@"))) << help.name;
    if (absl::StartsWith(help.name, "overrides.")) continue;
    ASSERT_TRUE(defaults.contains(help.name)) << help.name;
    EXPECT_EQ(nlohmann::json::parse(help.default_json), defaults[help.name]) << help.name;
  }
  for (const auto& [name, value] : defaults.items()) EXPECT_TRUE(names.contains(name)) << name;
}

TEST(QuantConfigHelpTest, FindsKeysAndNamesTheNearest) {
  EXPECT_EQ(FindQuantKeyHelp("overrides.pattern")->name, "overrides.pattern");
  const auto missing = FindQuantKeyHelp("moving_rat");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("did you mean 'moving_rate'?"));
}

TEST(QuantConfigHelpTest, WrapsAtSpaces) {
  EXPECT_THAT(WrapText("a bb ccc  dddd", 5), ElementsAre("a bb", "ccc", "dddd"));
  EXPECT_THAT(WrapText("longer than", 3), ElementsAre("longer", "than"));
  EXPECT_TRUE(WrapText("", 3).empty());
}

// With QUANTRY_WRITE_DOCS set, the file is written instead.
TEST(QuantConfigHelpTest, DocumentHoldsTheTable) {
  const std::string path = QUANTRY_SOURCE_FOLDER "/docs/quant_config.md";
  const auto text = ReadFile(path, 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  const size_t begin = text->find(kBegin);
  const size_t end = text->find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos) << "the markers are gone";
  const size_t from = begin + sizeof(kBegin) - 1;
  const std::string expected =
      absl::StrCat(text->substr(0, from), QuantConfigMarkdown(), "\n", text->substr(end));
  if (std::getenv("QUANTRY_WRITE_DOCS") != nullptr) {
    std::ofstream(path) << expected;
    return;
  }
  EXPECT_TRUE(*text == expected) << path
                                 << " is out of date; run this test once with QUANTRY_WRITE_DOCS=1";
}

// What users copy from the document is accepted.
TEST(QuantConfigHelpTest, ExamplesOfTheDocumentAreValid) {
  const auto text = ReadFile(QUANTRY_SOURCE_FOLDER "/docs/quant_config.md", 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  constexpr char kFence[] = "```json\n";
  int examples = 0;
  for (size_t at = text->find(kFence); at != std::string::npos; at = text->find(kFence, at + 1)) {
    const size_t begin = at + sizeof(kFence) - 1;
    const auto config = ParseQuantConfig(text->substr(begin, text->find("```", begin) - begin));
    EXPECT_TRUE(config.ok()) << config.status();
    ++examples;
  }
  EXPECT_GE(examples, 2);
}

}  // namespace
}  // namespace quantry
