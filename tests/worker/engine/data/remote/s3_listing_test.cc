#include "worker/engine/data/remote/s3_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPage = R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>bucket</Name><Prefix>d/</Prefix><EncodingType>url</EncodingType>
  <IsTruncated>true</IsTruncated>
  <NextContinuationToken>a&amp;b&#x2F;&#47;&lt;&gt;&quot;&apos;</NextContinuationToken>
  <Contents><Key>d/a%2Bb+c%26.tar</Key><Size>1</Size><Owner><ID>x</ID></Owner></Contents>
  <Contents><Key>d/%C3%A4.tar</Key><Size>2</Size></Contents>
  <CommonPrefixes><Prefix>d/e/</Prefix></CommonPrefixes>
</ListBucketResult>)";

TEST(S3ListingTest, ReadsKeysAndToken) {
  const auto page = ParseS3Page(kPage);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->keys, ElementsAre("d/a+b c&.tar", "d/\xc3\xa4.tar"));
  EXPECT_EQ(page->continuation_token, "a&b//<>\"'");
}

TEST(S3ListingTest, KeysAreTakenAsTheyAreWhereTheyAreNotEncoded) {
  const auto page = ParseS3Page(
      "<ListBucketResult><Contents><Key>a+b%20&#228;&amp;</Key></Contents></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->keys, ElementsAre("a+b%20\xc3\xa4&"));
  EXPECT_EQ(page->continuation_token, "");
}

TEST(S3ListingTest, AnEmptyBucketIsNoError) {
  const auto page = ParseS3Page(
      "<ListBucketResult><IsTruncated>false</IsTruncated>"
      "</ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->keys.empty());
}

TEST(S3ListingTest, OtherTextsAreErrors) {
  for (const char* text :
       {"", "<html>login</html>", "<ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>&#0;</Key></Contents></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%00</Key></Contents>"
        "</ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
    const absl::Status status = ParseS3Page(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("AWS_ENDPOINT_URL")) << text;
  }
}

TEST(S3ListingTest, EveryCutOfAPageIsAnErrorOrAPage) {
  const std::string page = kPage;
  for (size_t length = 0; length < page.size(); ++length) {
    EXPECT_FALSE(ParseS3Page(page.substr(0, length)).ok()) << length;
    static_cast<void>(ParseS3Page(page.substr(0, length) + "</ListBucketResult>"));
  }
}

}  // namespace
}  // namespace quantry::engine
