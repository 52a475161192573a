// Walks all of ONNX's own operator tests (Debian's libonnx-testdata). None that is in the operator
// table may fail but for the exceptions below.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "common/files.h"
#include "tests/worker/engine/import/onnx_node_cases.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kFolder[] = "/usr/share/libonnx-testdata/data/node";
constexpr size_t kLeastPassed = 861;

// Cases of supported operators that fail, each with its reason.
const std::map<std::string, std::string>& Exceptions() {
  constexpr char kTraining[] = "batch statistics and dropout are the run's phase, not the file's";
  constexpr char kBfloat16[] = "the case's data are cut off to bfloat16, not rounded";
  static const std::map<std::string, std::string> kExceptions = {
      {"test_batchnorm_epsilon_training_mode", kTraining},
      {"test_batchnorm_example_training_mode", kTraining},
      {"test_cast_FLOAT_to_BFLOAT16", kBfloat16},
      {"test_castlike_FLOAT_to_BFLOAT16", kBfloat16},
      {"test_castlike_FLOAT_to_BFLOAT16_expanded", kBfloat16},
      {"test_training_dropout", kTraining},
      {"test_training_dropout_default", kTraining},
      {"test_training_dropout_default_mask", kTraining},
      {"test_training_dropout_mask", kTraining},
  };
  return kExceptions;
}

const std::vector<NodeCaseResult>& Results() {
  static const std::vector<NodeCaseResult> kResults = [] {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(kFolder)) folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    std::vector<NodeCaseResult> results;
    for (const fs::path& folder : folders) {
      results.push_back(RunNodeCase(folder));
      NodeCaseResult& last = results.back();
      const auto exception = Exceptions().find(last.name);
      if (exception != Exceptions().end() && !last.error.empty()) last.error = exception->second;
    }
    return results;
  }();
  return kResults;
}

class OnnxNodeCases : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::is_directory(kFolder)) << "install the package libonnx-testdata";
  }
};

TEST_F(OnnxNodeCases, NoneOfASupportedOperatorFails) {
  size_t passed = 0;
  for (const NodeCaseResult& result : Results()) {
    if (!result.unsupported.empty()) continue;
    const bool excepted = Exceptions().contains(result.name);
    EXPECT_EQ(!result.error.empty(), excepted) << result.name << ": " << result.error;
    if (result.error.empty()) ++passed;
  }
  EXPECT_GE(passed, kLeastPassed);
}

TEST_F(OnnxNodeCases, EveryExceptionIsACase) {
  for (const auto& [name, reason] : Exceptions()) {
    EXPECT_TRUE(std::any_of(Results().begin(), Results().end(), [&name = name](const auto& result) {
      return result.name == name && result.unsupported.empty();
    })) << name;
    EXPECT_FALSE(reason.empty()) << name;
  }
}

// With QUANTRY_WRITE_DOCS set, the file is written instead.
TEST_F(OnnxNodeCases, TableInTheDocsIsUpToDate) {
  const std::string expected = OperatorTableMarkdown(Results());
  const fs::path path = fs::path(QUANTRY_SOURCE_FOLDER) / "docs" / "onnx_operators.md";
  if (std::getenv("QUANTRY_WRITE_DOCS") != nullptr) {
    std::ofstream(path) << expected;
    return;
  }
  const auto actual = ReadFile(path);
  ASSERT_TRUE(actual.ok()) << actual.status();
  EXPECT_TRUE(*actual == expected)
      << path << " is out of date; run this test once with QUANTRY_WRITE_DOCS=1";
}

}  // namespace
}  // namespace quantry::engine
