// Fetching from a server that cuts, lies and fails, into the cache.

#include "worker/engine/data/remote/object_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "common/sha256.h"
#include "tests/worker/engine/data/remote/test_server.h"
#include "tests/worker/engine/data/scratch_folder.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kBytes = 300'000;

class ObjectCacheTest : public testing::Test {
 protected:
  ObjectCacheTest() { served_.Write("a.bin", content_); }

  RemoteObject Object(const std::string& rules, const std::string& name = "a.bin") {
    const std::string url = server_.url("/" + rules + "/" + EncodePath(name));
    return {.uri = url, .name = name, .request = {.url = EncodeRules(url)}};
  }

  // Fetches by a new cache object, as another process would.
  absl::Status Fetch(const RemoteObject& object, const std::string& sha256 = "") {
    const auto client = HttpClient::Create(options_).value();
    const auto cache = ObjectCache::Open(options_, *client).value();
    return FetchBy(*cache, object, sha256);
  }

  absl::Status FetchBy(ObjectCache& cache, const RemoteObject& object,
                       const std::string& sha256 = "") {
    got_.clear();
    const fs::path target = scratch_.path() / absl::StrCat("got.", ++targets_);
    const absl::Status status = cache.Fetch(object, sha256, target, nullptr);
    if (status.ok()) got_ = ReadFile(target).value();
    return status;
  }

  // Which part each request since the last call asked for.
  std::vector<std::string> Ranges() {
    std::vector<std::string> ranges;
    for (const auto& entry : server_.TakeLog()) {
      ranges.push_back(entry["range"].get<std::string>() + " " + entry["status"].dump());
    }
    return ranges;
  }

  int64_t CacheBytes() const {
    int64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(options_.cache_folder / "objects")) {
      if (entry.path().filename() == "content") bytes += static_cast<int64_t>(entry.file_size());
    }
    return bytes;
  }

  static std::string EncodeRules(const std::string& url) {
    std::string encoded;
    for (const char c : url) encoded += c == ';' ? "%3B" : std::string(1, c);
    return encoded;
  }

  const std::string content_ = TestContent(kBytes);
  ScratchFolder served_;
  ScratchFolder scratch_;
  TestServer server_{"object_server.py", {served_.path().string()}};
  RemoteOptions options_ = TestRemoteOptions(scratch_.path());
  std::string got_;
  int targets_ = 0;
};

using testing::ElementsAre;

TEST_F(ObjectCacheTest, ACopyIsUsedAgainIfTheServerStillHasThatVersion) {
  ASSERT_TRUE(Fetch(Object("plain")).ok());
  EXPECT_EQ(got_, content_);
  ASSERT_TRUE(Fetch(Object("plain")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 200", " 304"));
  served_.Write("a.bin", "another");
  ASSERT_TRUE(Fetch(Object("plain")).ok());
  EXPECT_EQ(got_, "another");
  EXPECT_THAT(Ranges(), ElementsAre(" 200"));
}

TEST_F(ObjectCacheTest, ACopyWithTheGivenHashIsTakenWithoutAsking) {
  const std::string hash = Sha256Hex(content_);
  ASSERT_TRUE(Fetch(Object("plain"), hash).ok());
  ASSERT_TRUE(Fetch(Object("plain"), hash).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_EQ(Ranges().size(), 1u);
  served_.Write("a.bin", "another");
  ASSERT_TRUE(Fetch(Object("plain"), Sha256Hex("another")).ok());
  EXPECT_EQ(got_, "another");
}

TEST_F(ObjectCacheTest, ACutConnectionGoesOnWhereItEnded) {
  ASSERT_TRUE(Fetch(Object("cut=100000;times=2")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 200", "bytes=100000- 206", "bytes=200000- 206"));
}

TEST_F(ObjectCacheTest, AStalledConnectionIsCutAndGoesOn) {
  ASSERT_TRUE(Fetch(Object("stall=20")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 200", "bytes=150000- 206"));
}

TEST_F(ObjectCacheTest, AServerWithoutRangesStartsAgain) {
  ASSERT_TRUE(Fetch(Object("cut=100000;times=2;norange")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 200", "bytes=100000- 200", "bytes=100000- 200"));
}

TEST_F(ObjectCacheTest, WithoutAVersionToCompareItStartsAgain) {
  ASSERT_TRUE(Fetch(Object("cut=100000;times=2;noetag")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 200", " 200", " 200"));
  ASSERT_TRUE(Fetch(Object("cut=100000;times=2;etag=W")).ok());  // as weak ones begin
  EXPECT_EQ(got_, content_);
}

TEST_F(ObjectCacheTest, AnotherVersionAfterACutStartsAgain) {
  // Every response has another ETag: If-Range makes it whole again each time.
  ASSERT_TRUE(Fetch(Object("cut=100000;times=2;newetag")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 200", "bytes=100000- 200", "bytes=100000- 200"));
}

TEST_F(ObjectCacheTest, TheWrongPartIsNotTaken) {
  const absl::Status status = Fetch(Object("cut=100000;times=99;shift=7"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("given up after 4 attempts"));
  EXPECT_EQ(CacheBytes(), 0);
}

TEST_F(ObjectCacheTest, AnInterruptedFetchGoesOnInTheNextProcess) {
  int64_t seen = 0;
  options_.interrupted = [&] { return seen > 0; };
  const auto client = HttpClient::Create(options_).value();
  const auto cache = ObjectCache::Open(options_, *client).value();
  const absl::Status status =
      cache->Fetch(Object("rate=50000"), "", scratch_.path() / "x",
                   [&](int64_t done, int64_t total) {
                     EXPECT_EQ(total, static_cast<int64_t>(kBytes));
                     seen = done;
                   });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_FALSE(fs::exists(scratch_.path() / "x"));
  options_.interrupted = nullptr;
  server_.TakeLog();
  ASSERT_TRUE(Fetch(Object("rate=50000")).ok());
  EXPECT_EQ(got_, content_);
  const auto ranges = Ranges();
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_THAT(ranges[0], HasSubstr("- 206")) << "it did not start again";
}

TEST_F(ObjectCacheTest, FailuresThatMayPassAreTriedAgain) {
  std::string log;
  options_.log = [&](absl::string_view line) { log += std::string(line) + "\n"; };
  ASSERT_TRUE(Fetch(Object("fail=2")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 500", " 500", " 200"));
  EXPECT_THAT(log, HasSubstr("HTTP status 500; trying again in"));
  EXPECT_THAT(log, HasSubstr("sha256=" + Sha256Hex(content_)));

  const absl::Status status = Fetch(Object("fail=99"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr(server_.url("/fail=99/a.bin")),
                             HasSubstr("HTTP status 500; given up after 4 attempts")));
  EXPECT_EQ(Ranges().size(), 4u);
}

TEST_F(ObjectCacheTest, RetryAfterIsWaitedFor) {
  const absl::Time start = absl::Now();
  ASSERT_TRUE(Fetch(Object("fail=1;after=1")).ok());
  EXPECT_GE(absl::Now() - start, absl::Seconds(1));
}

TEST_F(ObjectCacheTest, FailuresThatStayAreNot) {
  const absl::Status missing = Fetch(Object("plain", "b.bin"));
  EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
  EXPECT_THAT(std::string(missing.message()), HasSubstr("404: nothing is there"));
  const absl::Status forbidden = Fetch(Object("status=403"));
  EXPECT_TRUE(absl::IsPermissionDenied(forbidden)) << forbidden;
  EXPECT_THAT(std::string(forbidden.message()), Not(HasSubstr("Secret")));
  EXPECT_TRUE(absl::IsInvalidArgument(Fetch(Object("status=400"))));
  EXPECT_TRUE(absl::IsInvalidArgument(Fetch(Object("status=204")))) << "no content";
  EXPECT_TRUE(absl::IsInvalidArgument(Fetch(Object("gzip"))));
  EXPECT_EQ(Ranges().size(), 5u);
}

TEST_F(ObjectCacheTest, AWrongHashIsFetchedTwiceAndThenAnError) {
  const std::string hash = Sha256Hex("something else");
  const absl::Status status = Fetch(Object("plain"), hash);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr(Sha256Hex(content_)), HasSubstr(hash)));
  EXPECT_EQ(Ranges().size(), 2u);
  EXPECT_EQ(CacheBytes(), 0);
  ASSERT_TRUE(Fetch(Object("flip=1"), Sha256Hex(content_)).ok()) << "damaged on the way, once";
  EXPECT_EQ(got_, content_);
}

TEST_F(ObjectCacheTest, AWrongLengthIsAnError) {
  const absl::Status status = Fetch(Object("long=10"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("300000 of 300010 bytes"));
  EXPECT_EQ(CacheBytes(), 0);
}

TEST_F(ObjectCacheTest, ALengthThatIsNotToldIsCounted) {
  ASSERT_TRUE(Fetch(Object("chunked")).ok());
  EXPECT_EQ(got_, content_);
  options_.cache_bytes = 200'000;
  const absl::Status status = Fetch(Object("chunked;x"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST_F(ObjectCacheTest, TheLeastRecentlyUsedCopiesGo) {
  options_.cache_bytes = 700'000;
  ASSERT_TRUE(Fetch(Object("plain;1")).ok());
  absl::SleepFor(absl::Milliseconds(20));
  ASSERT_TRUE(Fetch(Object("plain;2")).ok());
  absl::SleepFor(absl::Milliseconds(20));
  ASSERT_TRUE(Fetch(Object("plain;1")).ok());
  ASSERT_TRUE(Fetch(Object("plain;3")).ok());
  EXPECT_EQ(CacheBytes(), 600'000);
  server_.TakeLog();
  ASSERT_TRUE(Fetch(Object("plain;1")).ok());
  EXPECT_THAT(Ranges(), ElementsAre(" 304")) << "it was used after 2";
  ASSERT_TRUE(Fetch(Object("plain;2")).ok());
  EXPECT_THAT(Ranges(), ElementsAre(" 200"));
}

TEST_F(ObjectCacheTest, WhatCanNeverFitIsRefusedAtOnce) {
  options_.cache_bytes = 500'000;
  const auto client = HttpClient::Create(options_).value();
  const auto cache = ObjectCache::Open(options_, *client).value();
  ASSERT_TRUE(FetchBy(*cache, Object("plain;1")).ok());
  const absl::Status status = FetchBy(*cache, Object("plain;2"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("300000 bytes, others of the dataset 300000"),
                             HasSubstr("500000"), HasSubstr("--dataset-cache-bytes")));
}

TEST_F(ObjectCacheTest, TwoThatFetchTheSameFetchItOnce) {
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(3, absl::UnknownError("did not run"));
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([this, i, &results] {
      const auto client = HttpClient::Create(options_).value();
      const auto cache = ObjectCache::Open(options_, *client).value();
      results[i] = cache->Fetch(Object("pause=0.3"), Sha256Hex(content_),
                                scratch_.path() / absl::StrCat("together.", i), nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : results) EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Ranges().size(), 1u);
}

TEST_F(ObjectCacheTest, DamagedNotesMeanThatThereIsNoCopy) {
  ASSERT_TRUE(Fetch(Object("plain")).ok());
  for (const auto& entry : fs::recursive_directory_iterator(options_.cache_folder)) {
    if (entry.path().extension() == ".json") std::ofstream(entry.path()) << "[1,";
  }
  ASSERT_TRUE(Fetch(Object("plain")).ok());
  EXPECT_EQ(got_, content_);
  EXPECT_THAT(Ranges(), ElementsAre(" 200", " 200"));
}

TEST_F(ObjectCacheTest, ItNeedsAFolder) {
  options_.cache_folder.clear();
  const auto client = HttpClient::Create(options_).value();
  const absl::Status status = ObjectCache::Open(options_, *client).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("XDG_CACHE_HOME"));
  options_ = TestRemoteOptions(scratch_.path(), {{"HOME", scratch_.path().string()}});
  options_.cache_folder.clear();
  EXPECT_EQ(ObjectCache::Open(options_, *client).value()->folder(),
            scratch_.path() / ".cache" / "quantry" / "datasets");
}

}  // namespace
}  // namespace quantry::engine
