// What a hostile archive may not do. The good file comes from tests/tools/export_torchscript.py.
#include "worker/engine/script/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "worker/engine/script/import_script.h"
#include "worker/engine/script/pickle_depth.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;

std::string Good() {
  auto bytes =
      ReadFile(std::filesystem::path(QUANTRY_TORCHSCRIPT_FOLDER) / "loops" / "scripted_eval.pt");
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *bytes : std::string();
}

std::string Message(const std::string& bytes, const ArchiveLimits& limits = {}) {
  const absl::Status status = CheckTorchArchive(bytes, limits);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

void Put(std::string& bytes, size_t at, uint64_t number, size_t size) {
  for (size_t i = 0; i < size; ++i) bytes.at(at + i) = static_cast<char>(number >> (8 * i));
}

// Where the directory's first entry is.
size_t FirstEntry(const std::string& bytes) { return bytes.find("PK\x01\x02"); }

TEST(CheckTorchArchive, EachLimitHasItsMessage) {
  const std::string good = Good();
  ASSERT_TRUE(CheckTorchArchive(good).ok()) << CheckTorchArchive(good);
  EXPECT_THAT(Message(good, {.max_records = 3}), HasSubstr("the number of its records is"));
  EXPECT_THAT(Message(good, {.max_unpacked_bytes = 1000}),
              HasSubstr("unpack to more than 1000 bytes"));
  EXPECT_THAT(Message(good, {.max_text_bytes = 10}), HasSubstr("at most 10 are allowed"));
  EXPECT_THAT(Message(good, {.max_nesting = 1}), HasSubstr("the nesting of '"));
}

TEST(CheckTorchArchive, SizesThatLieAreFound) {
  std::string bomb = Good();
  const size_t entry = FirstEntry(bomb);
  ASSERT_NE(entry, std::string::npos);
  Put(bomb, entry + 10, 8, 2);           // deflated
  Put(bomb, entry + 24, 0xfffffff0, 4);  // to 4 GiB
  EXPECT_THAT(Message(bomb), HasSubstr("unpack to more than 2147483648 bytes"));
  std::string outside = Good();
  Put(outside, entry + 42, 0x7fffffff, 4);  // its header
  EXPECT_THAT(Message(outside), HasSubstr("lies outside the file"));
  std::string unequal = Good();
  Put(unequal, entry + 10, 0, 2);
  Put(unequal, entry + 20, 5, 4);
  Put(unequal, entry + 24, 6, 4);
  EXPECT_THAT(Message(unequal), HasSubstr("two sizes"));
  std::string method = Good();
  Put(method, entry + 10, 12, 2);
  EXPECT_THAT(Message(method), HasSubstr("neither stored nor deflated"));
  EXPECT_THAT(Message("PK\x03\x04"), HasSubstr("it has no end"));
  EXPECT_THAT(Message(""), HasSubstr("it has no end"));
  // The import asks as well.
  EXPECT_THAT(std::string(ImportTorchScript(bomb, {}).status().message()),
              HasSubstr("unpack to more than"));
}

TEST(CheckTorchArchive, AnyFlippedByteIsAnAnswer) {
  const std::string good = Good();
  const size_t directory = FirstEntry(good);
  ASSERT_NE(directory, std::string::npos);
  for (size_t at = directory; at < good.size(); at += 3) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    const absl::Status status = CheckTorchArchive(changed);
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  }
}

TEST(PickleDepth, CountsValuesWithinValues) {
  const auto depth = [](absl::string_view pickle) { return PickleDepth(pickle).value_or(-1); };
  EXPECT_EQ(depth("\x80\x02K\x01."), 0);
  EXPECT_EQ(depth("]."), 1);
  EXPECT_EQ(depth("]K\x01"
                  "a."),
            1);
  EXPECT_EQ(depth("](]]e."), 2);
  EXPECT_EQ(depth("}X\x01\0\0\0a]s."), -1);  // cut by the zero in the literal
  EXPECT_EQ(depth(absl::string_view("}X\x01\0\0\0a]s.", 10)), 2);
  EXPECT_EQ(depth(std::string(1000, ')') + std::string(999, '\x86') + "."), 1000);
  EXPECT_EQ(depth(")" + std::string(1000, '\x85') + "."), 1001);
}

TEST(PickleDepth, RefusesWhatItCantFollow) {
  EXPECT_FALSE(PickleDepth("").ok());
  EXPECT_FALSE(PickleDepth("K").ok());
  EXPECT_FALSE(PickleDepth("a.").ok());
  EXPECT_FALSE(PickleDepth("t.").ok());
  EXPECT_FALSE(PickleDepth("h\x01.").ok());
  EXPECT_FALSE(PickleDepth("\xff.").ok());
  EXPECT_FALSE(PickleDepth("cmodule").ok());
  // A list put into another one by way of the memo, and filled later.
  EXPECT_THAT(std::string(PickleDepth("]q\x01]h\x01"
                                      "ah\x01]a.")
                              .status()
                              .message()),
              HasSubstr("changed after it was used"));
}

}  // namespace
}  // namespace quantry::engine
