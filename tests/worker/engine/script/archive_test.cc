// What a hostile archive may not do. The good file comes from tests/tools/export_torchscript.py.
#include "worker/engine/script/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "worker/engine/script/import_script.h"
#include "worker/engine/script/scan_pickle.h"

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

TEST(ScanPickle, CountsValuesWithinValues) {
  const auto depth = [](absl::string_view pickle) {
    const auto content = ScanPickle(pickle);
    return content.ok() ? content->depth : -1;
  };
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

// A persistent id, as torch writes it; `type` and `count` are opcodes.
std::string StorageOf(const std::string& type, const std::string& count) {
  return absl::StrCat("(", std::string("X\x07\0\0\0storage", 12), type,
                      std::string("X\x02\0\0\0k9X\x03\0\0\0cpu", 15), count, "tQ.");
}

TEST(ScanPickle, FindsTheMemoryOfTensors) {
  const std::pair<std::string, int64_t> counts[] = {
      {"K\x05", 5},
      {std::string("M\x05\x01", 3), 261},
      {std::string("J\x05\0\x01\0", 5), 65541},
      {std::string("\x8a\x08\x05\0\0\0\x01\0\0\0", 10), (int64_t{1} << 32) + 5}};
  for (const auto& [opcodes, count] : counts) {
    const auto content = ScanPickle(StorageOf("ctorch\nDoubleStorage\n", opcodes));
    ASSERT_TRUE(content.ok()) << content.status();
    ASSERT_EQ(content->storages.size(), 1u);
    EXPECT_EQ(content->storages[0].record, "k9");
    EXPECT_EQ(content->storages[0].bytes, 8 * count);
  }
  const auto half = ScanPickle(StorageOf("ctorch\nHalfStorage\n", "K\x05"));
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(half->storages[0].bytes, 10);
}

TEST(ScanPickle, StoragesThatAreNotPlainAreRefused) {
  const std::string good = "ctorch\nFloatStorage\n";
  EXPECT_FALSE(ScanPickle(StorageOf("K\x06", "K\x05")).ok());  // the number of the type
  EXPECT_FALSE(ScanPickle(StorageOf("ctorch\nQInt8Storage\n", "K\x05")).ok());
  EXPECT_FALSE(ScanPickle(StorageOf(good, "N")).ok());
  EXPECT_FALSE(ScanPickle(StorageOf(good, "J\xff\xff\xff\xff")).ok());  // -1
  EXPECT_FALSE(ScanPickle(StorageOf(good, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f")).ok());
  EXPECT_FALSE(ScanPickle("K\x05Q.").ok());
  // Another tuple than the one that was just made.
  const std::string tuple = StorageOf(good, "K\x05").substr(0, StorageOf(good, "K\x05").size() - 2);
  EXPECT_TRUE(ScanPickle(tuple + "q\x01Q.").ok());
  EXPECT_FALSE(ScanPickle(tuple + "q\x01(K\x05th\x01Q.").ok());
}

TEST(ScanPickle, RefusesWhatItCantFollow) {
  EXPECT_FALSE(ScanPickle("").ok());
  EXPECT_FALSE(ScanPickle("K").ok());
  EXPECT_FALSE(ScanPickle("a.").ok());
  EXPECT_FALSE(ScanPickle("t.").ok());
  EXPECT_FALSE(ScanPickle("h\x01.").ok());
  EXPECT_FALSE(ScanPickle("\xff.").ok());
  EXPECT_FALSE(ScanPickle("cmodule").ok());
  // A list put into another one by way of the memo, and filled later.
  EXPECT_THAT(std::string(ScanPickle("]q\x01]h\x01"
                                     "ah\x01]a.")
                              .status()
                              .message()),
              HasSubstr("changed after it was used"));
}

}  // namespace
}  // namespace quantry::engine
