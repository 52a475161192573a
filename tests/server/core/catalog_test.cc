#include "server/core/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/quant_config.h"
#include "quantry/v1/spec.pb.h"

namespace quantry::server {
namespace {

// The server can't include the engine, so its list is held against the text of the engine's table:
// lines "  X(Conv)", with FakeQuantize and ObserveOutput for Quantry's own operators, which no file
// contains.
TEST(Catalog, OperatorsAreThoseOfTheEnginesTable) {
  std::ifstream table(QUANTRY_SOURCE_DIR "/worker/engine/ops/table.cc");
  ASSERT_TRUE(table.is_open());
  // Import turns these nodes into values, or into the nodes that they would run.
  std::vector<std::string> expected = {"Constant", "If", "Loop", "Scan"};
  for (std::string line; std::getline(table, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "  X(")) continue;
    const std::string name(rest.substr(0, rest.find(')')));
    if (name != "FakeQuantize" && name != "ObserveOutput") expected.push_back(name);
  }
  EXPECT_THAT(std::vector<std::string>(OnnxOperators().begin(), OnnxOperators().end()),
              testing::UnorderedElementsAreArray(expected));
}

TEST(Catalog, ModesAreThoseOfTheSpec) {
  const google::protobuf::EnumDescriptor& modes = *v1::Mode_descriptor();
  std::vector<std::string> expected;
  for (int i = 1; i < modes.value_count(); ++i) {
    expected.push_back(absl::AsciiStrToLower(absl::StripPrefix(modes.value(i)->name(), "MODE_")));
  }
  EXPECT_THAT(std::vector<std::string>(JobModes().begin(), JobModes().end()),
              testing::UnorderedElementsAreArray(expected));
}

TEST(Catalog, ModelsAreThoseOfTheZoo) {
  std::ifstream zoo(QUANTRY_SOURCE_DIR "/worker/engine/zoo/zoo.cc");
  ASSERT_TRUE(zoo.is_open());
  const std::string text{std::istreambuf_iterator<char>(zoo), {}};
  EXPECT_TRUE(absl::StrContains(text, absl::StrCat("string_view, ", BuiltinModels().size(), ">")));
  for (const absl::string_view name : BuiltinModels()) {
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("\"", name, "\""))) << name;
  }
}

// The names that follow `before` in a file of the source tree.
std::vector<std::string> NamesBehind(const std::string& path, const std::string& before) {
  std::ifstream file(absl::StrCat(QUANTRY_SOURCE_DIR, "/", path));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> names;
  for (size_t at = text.find(before); at != std::string::npos; at = text.find(before, at + 1)) {
    const size_t begin = at + before.size();
    names.push_back(text.substr(begin, text.find('"', begin) - begin));
  }
  return names;
}

// What quant_config accepts is what the engine's tables hold, line by line.
TEST(Catalog, NamesOfQuantConfigAreThoseOfTheEnginesTables) {
  std::set<absl::string_view> quantizers;
  for (const absl::string_view name : SupportedWeightQuantizers()) quantizers.insert(name);
  for (const absl::string_view name : SupportedActivationQuantizers()) quantizers.insert(name);
  EXPECT_THAT(NamesBehind("worker/engine/quant/quantizer.cc", ".name = \""),
              testing::UnorderedElementsAreArray(quantizers));
  EXPECT_THAT(NamesBehind("worker/engine/quant/calibrator.cc", ".name = \""),
              testing::UnorderedElementsAreArray(SupportedCalibrators()));
  EXPECT_THAT(NamesBehind("worker/engine/passes/layer_kinds.cc", "    {\""),
              testing::UnorderedElementsAreArray(SupportedLayerTypes()));
}

}  // namespace
}  // namespace quantry::server
