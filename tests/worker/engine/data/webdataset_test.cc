#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/engine/data/tar_index.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<std::vector<TarMember>> Index(const std::string& content) {
  const ScratchFolder folder;
  const auto file = RandomAccessFile::Open(folder.Write("x.tar", content));
  if (!file.ok()) return file.status();
  return IndexTar(**file);
}

TEST(IndexTarTest, FindsFilesAndTheirContent) {
  const std::string content = TarFile({{"a/b.txt", "hello"}, {"empty", ""}, {"c", "world"}});
  const auto members = Index(content);
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 3u);
  EXPECT_EQ((*members)[0].name, "a/b.txt");
  EXPECT_EQ(content.substr((*members)[0].offset, (*members)[0].bytes), "hello");
  EXPECT_EQ((*members)[1].bytes, 0);
  EXPECT_EQ(content.substr((*members)[2].offset, (*members)[2].bytes), "world");
}

TEST(IndexTarTest, KnowsPaxAndGnuExtensions) {
  const std::string longer(150, 'n');
  const std::string content =
      TarMemberBytes("folder/", "", '5') + TarMemberBytes("g", PaxRecord("comment", "x"), 'g') +
      TarMemberBytes("p", PaxRecord("mtime", "1.5") + PaxRecord("path", "pax/name"), 'x') +
      TarMemberBytes("cut", "1") + TarMemberBytes("././@LongLink", longer + '\0', 'L') +
      TarMemberBytes("cut", "22") + TarMemberBytes("link", "", '2') + TarMemberBytes("z", "333");
  const auto members = Index(content);  // without the end mark, as some writers leave it
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 3u);
  EXPECT_EQ((*members)[0].name, "pax/name");
  EXPECT_EQ((*members)[1].name, longer);
  EXPECT_EQ((*members)[2].name, "z");
  EXPECT_EQ((*members)[2].bytes, 3);
}

TEST(IndexTarTest, MistakesNameTheOffset) {
  const std::string one = TarMemberBytes("a", "1");
  EXPECT_THAT(MessageOf(Index(one + "rest")), HasSubstr("offset 1024: the file ends within"));
  EXPECT_THAT(MessageOf(Index(one + std::string(512, 'x'))), HasSubstr("offset 1024: no tar"));
  EXPECT_THAT(MessageOf(Index(Gzip(one) + std::string(512, 'x'))), HasSubstr("compressed"));
  EXPECT_THAT(MessageOf(Index(TarMemberBytes("a", std::string(5000, 'x')).substr(0, 2048))),
              HasSubstr("offset 0: the size of 'a' reaches beyond the file"));
  EXPECT_THAT(MessageOf(Index(TarMemberBytes("x", "9 a=b", 'x'))), HasSubstr("pax header"));
  EXPECT_THAT(MessageOf(Index(TarMemberBytes("x", PaxRecord("size", "-1"), 'x'))),
              HasSubstr("size is wrong"));
  EXPECT_THAT(MessageOf(Index(TarMemberBytes("x", PaxRecord("size", "99999"), 'x') + one)),
              HasSubstr("reaches beyond"));
  EXPECT_THAT(MessageOf(Index(TarMemberBytes("L", std::string(5000, 'n'), 'L') + one)),
              HasSubstr("a name of 5000 bytes"));
}

std::string Shard(int first) {
  const std::string a = std::to_string(first), b = std::to_string(first + 1);
  return TarFile({{"d/" + a + ".png", TestPng(4, 4, first)},
                  {"d/" + a + ".cls", "10\n"},
                  {"d/" + a + ".json", "{}"},
                  {"d/" + b + ".cls", "9"},
                  {"d/" + b + ".PNG", TestPng(4, 4, first + 1)}});
}

TEST(WebDatasetTest, ReadsRangesAndFolders) {
  const ScratchFolder folder;
  folder.Write("s-00.tar", Shard(0));
  folder.Write("s-01.tar", Shard(2));
  folder.Write("notes.txt", "passed over");
  for (const char* form : {"/s-{00..01}.tar?split=all", "?split=all"}) {
    const auto dataset = OpenDataset("wds://" + folder.path().string() + form, {});
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    ASSERT_EQ((*dataset)->size(), 4);
    EXPECT_THAT((*dataset)->class_names(), ElementsAre("9", "10"));
    EXPECT_EQ((*dataset)->Label(0), 1);
    EXPECT_EQ((*dataset)->Label(3), 0);
    EXPECT_EQ((*dataset)->Name(3), "s-01.tar:d/3");
    for (int i = 3; i >= 0; --i) {  // in any order
      EXPECT_EQ((*dataset)->Get(i)->rgb, TestPicture(4, 4, i).rgb);
    }
  }
  const auto one = OpenDataset("wds://" + folder.path().string() + "/s-01.tar?split=all", {});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ((*one)->size(), 2);
}

TEST(WebDatasetTest, MistakesNameShardAndSample) {
  const ScratchFolder folder;
  const auto open = [&](const std::string& content) {
    folder.Write("s.tar", content);
    return MessageOf(OpenDataset("wds://" + folder.path().string() + "/s.tar?split=all", {}));
  };
  EXPECT_THAT(open(TarFile({{"a.cls", "1"}})), HasSubstr("sample 'a' has no .jpg"));
  EXPECT_THAT(open(TarFile({{"a.png", "x"}})),
              HasSubstr("s.tar, offset 512: sample 'a' has no .cls"));
  EXPECT_THAT(open(TarFile({{"a.png", "x"}, {"a.jpg", "x"}})), HasSubstr("two pictures"));
  EXPECT_THAT(open(TarFile({{"a.png", "x"}, {"a.cls", " "}})), HasSubstr("an empty .cls"));
  EXPECT_THAT(open(TarFile({{"a.png", "x"}, {"a.cls", std::string(300, '1')}})),
              HasSubstr("a .cls of 300 bytes"));
  EXPECT_THAT(open(TarFile({{"readme", "x"}})), HasSubstr("has no samples"));
  EXPECT_THAT(MessageOf(OpenDataset("wds://" + folder.path().string() + "/s-{0..1}.tar", {})),
              HasSubstr("s-0.tar does not exist"));
  std::filesystem::remove(folder.path() / "s.tar");
  EXPECT_THAT(MessageOf(OpenDataset("wds://" + folder.path().string(), {})),
              HasSubstr("has no files *.tar"));
}

TEST(WebDatasetTest, ADamagedPictureIsDataLoss) {
  const ScratchFolder folder;
  folder.Write(
      "s.tar",
      TarFile(
          {{"a.png", "no picture"}, {"a.cls", "0"}, {"b.png", TestPng(4, 4, 1)}, {"b.cls", "1"}}));
  const auto dataset = OpenDataset("wds://" + folder.path().string() + "?split=all", {});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_TRUE(absl::IsDataLoss((*dataset)->Get(0).status()));
  EXPECT_THAT(MessageOf((*dataset)->Get(0)), HasSubstr("s.tar:a"));
  EXPECT_TRUE((*dataset)->Get(1).ok());
}

}  // namespace
}  // namespace quantry::engine
