#include "common/delimited.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace quantry {
namespace {

using ::testing::ElementsAre;

TEST(DelimitedTest, LengthIsABase128Varint) {
  EXPECT_EQ(*Delimit("ab"), std::string("\x02") + "ab");
  EXPECT_EQ(Delimit(std::string(300, 'x'))->substr(0, 2), "\xac\x02");  // protobuf's own example
}

TEST(DelimitedTest, RoundTripsWhateverTheSplits) {
  const std::vector<std::string> messages = {"", "a", std::string(127, 'b'), std::string(128, 'c'),
                                             std::string(70'000, 'd')};
  std::string stream;
  for (const std::string& message : messages) stream += *Delimit(message);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, stream.size()}) {
    DelimitedParser parser;
    std::vector<std::string> got;
    for (size_t at = 0; at < stream.size(); at += piece) {
      parser.Feed(absl::string_view(stream).substr(at, piece));
      while (true) {
        auto next = parser.Next();
        ASSERT_TRUE(next.ok()) << next.status();
        if (!next->has_value()) break;
        got.push_back(**next);
      }
    }
    EXPECT_EQ(got, messages) << "pieces of " << piece;
    EXPECT_FALSE(parser.HasPartial());
  }
}

TEST(DelimitedTest, CutStreamLeavesAPartialMessage) {
  DelimitedParser parser;
  parser.Feed(Delimit("hello")->substr(0, 3));
  ASSERT_TRUE(parser.Next().ok());
  EXPECT_TRUE(parser.HasPartial());
}

TEST(DelimitedTest, RefusesLengthsAboveTheLimit) {
  EXPECT_EQ(Delimit(std::string(kMaxDelimitedBytes + 1, 'x')).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Delimit(std::string(kMaxDelimitedBytes, 'x')).ok());
  DelimitedParser parser;
  parser.Feed("\x81\x80\x80\x08");  // 16 MiB + 1
  EXPECT_EQ(parser.Next().status().code(), absl::StatusCode::kDataLoss);
}

TEST(DelimitedTest, RefusesEndlessVarints) {
  DelimitedParser parser;
  parser.Feed("\xff\xff\xff\xff\xff\xff");
  EXPECT_EQ(parser.Next().status().code(), absl::StatusCode::kDataLoss);
}

TEST(DelimitedTest, WritesToADescriptor) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  ASSERT_TRUE(WriteDelimited(fds[1], "first").ok());
  ASSERT_TRUE(WriteDelimited(fds[1], "second").ok());
  close(fds[1]);
  char buffer[64];
  const ssize_t count = read(fds[0], buffer, sizeof(buffer));
  close(fds[0]);
  DelimitedParser parser;
  parser.Feed(absl::string_view(buffer, static_cast<size_t>(count)));
  std::vector<std::string> got;
  for (auto next = parser.Next(); next.ok() && next->has_value(); next = parser.Next()) {
    got.push_back(**next);
  }
  EXPECT_THAT(got, ElementsAre("first", "second"));
}

TEST(DelimitedTest, WriteToAClosedDescriptorIsAnError) {
  EXPECT_FALSE(WriteDelimited(-1, "x").ok());
}

}  // namespace
}  // namespace quantry
