#include "common/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"

namespace quantry {
namespace {

using testing::HasSubstr;

std::string WithSize(uint64_t size, const std::string& rest) {
  std::string file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(size >> (8 * i) & 0xFF));
  return file + rest;
}

std::string File(const std::string& header, const std::string& data) {
  return WithSize(header.size(), header + data);
}

std::string Error(const std::string& file) {
  const auto entries = ParseSafetensors(file);
  EXPECT_FALSE(entries.ok());
  EXPECT_EQ(entries.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(entries.status().message());
}

constexpr char kGood[] = R"({"__metadata__":{"format":"pt"},)"
                         R"("b":{"dtype":"I64","shape":[],"data_offsets":[12,20]},)"
                         R"("a.weight":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},)"
                         R"("none":{"dtype":"F32","shape":[4,0],"data_offsets":[12,12]}}    )";

TEST(SafetensorsTest, ReadsEntriesInTheOrderOfTheirData) {
  const std::string file = File(kGood, "0123456789abcdefghij");
  EXPECT_TRUE(LooksLikeSafetensors(file.substr(0, 9)));
  const auto entries = ParseSafetensors(file);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ(entries->at(0).name, "a.weight");
  EXPECT_EQ(entries->at(0).dtype, "F16");
  EXPECT_EQ(entries->at(0).shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(entries->at(0).bytes, "0123456789ab");
  EXPECT_EQ(entries->at(1).name, "none");
  EXPECT_EQ(entries->at(1).bytes, "");
  EXPECT_EQ(entries->at(2).bytes, "cdefghij");
  EXPECT_TRUE(ParseSafetensors(File("{}", ""))->empty());
}

TEST(SafetensorsTest, RefusesWhatIsCutOff) {
  const std::string file = File(kGood, "0123456789abcdefghij");
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ParseSafetensors(file.substr(0, size)).ok()) << size;
  }
  EXPECT_THAT(Error("1234567"), HasSubstr("only 7 bytes"));
  EXPECT_THAT(Error(WithSize(100, "{}")), HasSubstr("header has 100 bytes, but only 2 follow"));
  EXPECT_THAT(Error(WithSize(~uint64_t{0}, "{}")), HasSubstr("allowed: at most 16777216"));
  EXPECT_THAT(Error(file + "x"), HasSubstr("end at byte 20 of 21"));
}

TEST(SafetensorsTest, RefusesHostileHeaders) {
  const std::string deep(100000, '[');
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "not a JSON object"},
      {"{\"a\":", "not a JSON object"},
      {"{\"\xff\":1}", "not a JSON object"},
      {"{\"a\":" + deep + std::string(deep.size(), ']') + "}", "nested too deep"},
      {R"({"a":1})", "tensor 'a': it has not just"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}})", "it has not just"},
      {R"({"a":{"dtype":8,"shape":[4],"data_offsets":[0,4]}})", "it has not just"},
      {R"({"a":{"dtype":"Q4","shape":[4],"data_offsets":[0,4]}})", "dtype 'Q4' is unknown"},
      {R"({"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})", "a dimension"},
      {R"({"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}})", "a dimension"},
      {R"({"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}})", "not a list"},
      {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4],"data_offsets":[0,4]}})",
       "at most 16 dimensions"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})",
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})",
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
       "has 4 bytes, but its shape and dtype ask for 8"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", "leave the 4 bytes"},
      {R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}})", "leave the 4 bytes"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[18446744073709551615,4]}})", "leave"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[-1,4]}})", "not two integers"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4]}})", "not two integers"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       "'b' overlaps another"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       "bytes 1 to 2 belong to no tensor"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
       R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
       "'a' is there twice"},
  };
  for (const auto& [header, expected] : cases) {
    EXPECT_THAT(Error(File(header, "data")), HasSubstr(expected)) << header.substr(0, 200);
  }
}

// No change of a few bytes may crash it or lead outside the file.
TEST(SafetensorsTest, SurvivesMutations) {
  const std::string good = File(kGood, "0123456789abcdefghij");
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string file = good;
    for (uint32_t changes = random() % 4 + 1; changes > 0 && !file.empty(); --changes) {
      const size_t at = random() % file.size();
      switch (random() % 4) {
        case 0:
          file[at] = static_cast<char>(random());
          break;
        case 1:
          file.erase(at, random() % 8);
          break;
        case 2:
          file.insert(at, 1, "{}[],:\"0123456789-e."[random() % 19]);
          break;
        default:
          file.insert(at, file.substr(at, random() % 16));
      }
    }
    const auto entries = ParseSafetensors(file);
    if (!entries.ok()) continue;
    size_t bytes = 0;
    for (const SafetensorsEntry& entry : *entries) {
      ASSERT_GE(entry.bytes.data(), file.data()) << round;
      ASSERT_LE(entry.bytes.data() + entry.bytes.size(), file.data() + file.size()) << round;
      bytes += entry.bytes.size();
    }
    ASSERT_LE(bytes + 8, file.size()) << round;
  }
}

}  // namespace
}  // namespace quantry
