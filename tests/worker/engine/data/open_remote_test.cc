#include "worker/engine/data/open_remote.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/sha256.h"
#include "tests/worker/engine/data/remote/test_server.h"
#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Six samples of two classes, the same pictures for the same seed.
std::string Shard(int seed) {
  std::vector<std::pair<std::string, std::string>> members;
  for (int i = 0; i < 6; ++i) {
    const std::string key = absl::StrCat("s", seed, "-", i);
    members.emplace_back(key + ".png", TestPng(5, 4, seed * 10 + i));
    members.emplace_back(key + ".cls", i % 2 == 0 ? "cat" : "dog");
  }
  return TarFile(members);
}

void ExpectSame(const Dataset& a, const Dataset& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(a.class_names(), b.class_names());
  for (int64_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a.Name(i), b.Name(i));
    EXPECT_EQ(a.Label(i), b.Label(i));
    EXPECT_EQ(a.Get(i)->rgb, b.Get(i)->rgb);
  }
}

class OpenRemoteTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& uri) {
    return OpenDataset(uri, options_);
  }
  std::string Error(const std::string& uri) {
    return std::string(Open(uri).status().message());
  }

  ScratchFolder scratch_;
  DatasetOptions options_{.remote = TestRemoteOptions(scratch_.path())};
};

class OpenHttpTest : public OpenRemoteTest {
 protected:
  std::string Uri(const std::string& path) { return server_.url("/plain/" + path); }

  ScratchFolder served_;
  TestServer server_{"object_server.py", {served_.path().string()}};
};

TEST_F(OpenHttpTest, ShardsAreWhatTheyAreInAFolder) {
  for (int i = 0; i < 3; ++i) served_.Write(absl::StrCat("train-", i, ".tar"), Shard(i));
  const std::string parameters = "?holdout=0.3&split_seed=5";
  for (const Split split : {Split::kTrain, Split::kVal}) {
    options_.split = split;
    const auto remote = Open(Uri("train-{0..2}.tar") + parameters);
    ASSERT_TRUE(remote.ok()) << remote.status();
    const auto local = Open("wds://" + served_.path().string() + "/train-{0..2}.tar" + parameters);
    ASSERT_TRUE(local.ok()) << local.status();
    ExpectSame(**remote, **local);
  }
  EXPECT_EQ(server_.TakeLog().size(), 6u) << "the second time all is there: 304";
  EXPECT_TRUE(fs::is_empty(options_.remote.cache_folder / "views"));
}

TEST_F(OpenHttpTest, OpenShardsOutliveTheirCopies) {
  served_.Write("a.tar", Shard(1));
  const auto dataset = Open(Uri("a.tar?split=all"));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  fs::remove_all(options_.remote.cache_folder);
  for (int64_t i = 0; i < (*dataset)->size(); ++i) EXPECT_TRUE((*dataset)->Get(i).ok());
}

TEST_F(OpenHttpTest, ArraysKeepTheirNames) {
  served_.Write("x.npy", NpyFile("<f4", "(2, 3)", BytesOf<float>({1, 2, 3, 4, 5, 6})));
  const auto dataset = Open(Uri("x.npy?split=all"));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ASSERT_EQ((*dataset)->arrays().size(), 1u);
  EXPECT_EQ((*dataset)->arrays()[0].name, "x");
  float row[3];
  char* rows[] = {reinterpret_cast<char*>(row)};
  ASSERT_TRUE((*dataset)->ReadArrays(1, rows).ok());
  EXPECT_EQ(row[2], 6);
  EXPECT_TRUE(Open(Uri("x.npy?split=all&format=arrays&sha256=") +
                   Sha256Hex(NpyFile("<f4", "(2, 3)", BytesOf<float>({1, 2, 3, 4, 5, 6}))))
                  .ok());
}

TEST_F(OpenHttpTest, AListNeedsTheFolderOfItsPictures) {
  served_.Write("list.csv", "1.png,a\n2.png,b\n");
  scratch_.Write("1.png", TestPng(4, 4, 0));
  scratch_.Write("2.png", TestPng(4, 4, 1));
  EXPECT_THAT(Error(Uri("list.csv?split=all")),
              testing::AllOf(HasSubstr(Uri("list.csv")), HasSubstr("line 1: '1.png' is relative")));
  const auto dataset = Open(Uri("list.csv?split=all&root=") + scratch_.path().string());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(), 2);
}

TEST_F(OpenHttpTest, ErrorsOfReadersNameTheUri) {
  served_.Write("bad.tar", "this is no tar file, and has " + std::string(600, 'x'));
  const std::string error = Error(Uri("bad.tar"));
  EXPECT_THAT(error, HasSubstr(Uri("bad.tar")));
  EXPECT_THAT(error, Not(HasSubstr(options_.remote.cache_folder.string())));
  EXPECT_TRUE(absl::IsNotFound(Open(Uri("none-{0..1}.tar")).status()));
}

TEST_F(OpenHttpTest, WorkersSayWhatMayBeFetched) {
  served_.Write("a.tar", Shard(1));
  const std::string uri = Uri("a.tar?split=all");
  for (const char* root : {"/plain/", "/plain", "", "/"}) {
    options_.allowed_roots = {"/data", server_.url(root)};
    EXPECT_TRUE(Open(uri).ok()) << root << Open(uri).status();
  }
  server_.TakeLog();
  for (const std::string& root :
       {server_.url("/pla"), server_.url("/other/"), std::string("https://localhost"),
        std::string("/data"), absl::StrCat("http://localhost:", server_.port() / 10)}) {
    options_.allowed_roots = {root};
    const absl::Status status = Open(uri).status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << root << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--dataset-root"));
  }
  EXPECT_TRUE(server_.TakeLog().empty()) << "nothing was asked for";
  options_.allowed_roots = {server_.url("/")};
  served_.Write("data/1.png", "x");
  EXPECT_TRUE(absl::IsPermissionDenied(Open("file://" + served_.path().string()).status()));
}

TEST_F(OpenHttpTest, ALongFetchSaysHowFarItIs) {
  served_.Write("a.tar", Shard(1));
  served_.Write("b.tar", TestContent(400'000));
  options_.remote.log_interval = absl::Milliseconds(100);
  std::string log;
  options_.remote.log = [&](absl::string_view line) { log += std::string(line) + "\n"; };
  EXPECT_FALSE(Open(absl::StrReplaceAll(server_.url("/rate=50000/b.tar"), {{"=", "%3D"}})).ok());
  EXPECT_THAT(log, HasSubstr("fetching object 1 of 1, 0."));
  EXPECT_THAT(log, HasSubstr(" s left"));
}

class OpenS3Test : public OpenRemoteTest {
 protected:
  OpenS3Test() { UseVariables(S3Variables(server_)); }
  void UseVariables(const std::map<std::string, std::string>& variables) {
    options_.remote = TestRemoteOptions(scratch_.path(), variables);
    options_.remote.log = [this](absl::string_view line) { log_ += std::string(line) + "\n"; };
  }

  ScratchFolder served_;
  TestServer server_{"s3_server.py", {served_.path().string()}};
  std::string log_;
};

TEST_F(OpenS3Test, ObjectsAndPrefixesAreRead) {
  for (int i = 0; i < 5; ++i) {
    served_.Write(absl::StrCat("my-bucket/a b+c/ü&/train-", i, ".tar"), Shard(i));
  }
  served_.Write("my-bucket/a b+c/ü&/notes.txt", "x");
  served_.Write("my-bucket/a b+c/ü&/deeper/train-9.tar", Shard(9));
  const auto local =
      Open("wds://" + served_.path().string() + "/my-bucket/a b+c/ü&/?split=all");
  ASSERT_TRUE(local.ok()) << local.status();
  const std::string folder = "s3://my-bucket/a%20b+c/ü&/";
  const auto prefix = Open(folder + "?split=all");
  ASSERT_TRUE(prefix.ok()) << prefix.status();
  ExpectSame(**prefix, **local);
  const auto range = Open(folder + "train-{0..4}.tar?split=all");
  ASSERT_TRUE(range.ok()) << range.status();
  ExpectSame(**range, **local);
  // Three pages of two keys, five objects, and the five again.
  EXPECT_EQ(server_.TakeLog().size(), 3u + 5u + 5u);
}

TEST_F(OpenS3Test, BucketsInTheHostsNameAndSessionsWithoutAToken) {
  served_.Write("bucket/a.tar", Shard(1));
  auto variables = S3Variables(server_);
  variables["QUANTRY_S3_ADDRESSING"] = "virtual";
  UseVariables(variables);
  EXPECT_TRUE(Open("s3://bucket/?split=all").ok()) << Open("s3://bucket/?split=all").status();
  variables.erase("AWS_SESSION_TOKEN");
  UseVariables(variables);
  EXPECT_TRUE(Open("s3://bucket/a.tar?split=all").ok());
}

TEST_F(OpenS3Test, ACutGoesOnUnderAnotherSignature) {
  served_.Write("bucket/cut.tar", Shard(1));
  const auto dataset = Open("s3://bucket/cut.tar?split=all");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(), 6);
  const auto log = server_.TakeLog();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[1]["range"], "bytes=1000-");
}

TEST_F(OpenS3Test, PublicBucketsNeedNoCredentials) {
  served_.Write("public/a.tar", Shard(1));
  served_.Write("private/a.tar", Shard(1));
  UseVariables({{"AWS_ENDPOINT_URL", server_.url("")}});
  EXPECT_TRUE(Open("s3://public/a.tar?split=all").ok());
  const absl::Status status = Open("s3://private/a.tar?split=all").status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("403 AccessDenied: check AWS_ACCESS_KEY_ID"));
}

TEST_F(OpenS3Test, ErrorsSayWhatToDoAndNoSecret) {
  served_.Write("bucket/a.tar", Shard(1));
  EXPECT_THAT(Error("s3://bucket/b.tar"), HasSubstr("404 NoSuchKey: nothing is there"));
  EXPECT_THAT(Error("s3://no-bucket/"), HasSubstr("404 NoSuchBucket"));
  EXPECT_THAT(Error("s3://bucket/none/"), HasSubstr("has no objects named *.tar directly below"));
  EXPECT_THAT(Error("s3://elsewhere/a.tar"), HasSubstr("is in region mars-north-1; set AWS_REGION"));
  auto variables = S3Variables(server_);
  variables["AWS_SECRET_ACCESS_KEY"] = "another-secret";
  UseVariables(variables);
  const std::string error = Error("s3://bucket/a.tar");
  EXPECT_THAT(error, HasSubstr("s3://bucket/a.tar: HTTP status 403 SignatureDoesNotMatch"));
  for (const std::string& text : {error, log_}) {
    EXPECT_THAT(text, Not(HasSubstr("another-secret")));
    EXPECT_THAT(text, Not(HasSubstr("wJalrXUtnFEMI")));
    EXPECT_THAT(text, Not(HasSubstr("session/token")));
  }
}

TEST_F(OpenS3Test, APrefixIsReadInTheFormatThatIsNamed) {
  served_.Write("bucket/mnist/train-images-idx3-ubyte", IdxFile({2, 4, 4}, std::string(32, 'x')));
  served_.Write("bucket/mnist/train-labels-idx1-ubyte.gz",
                Gzip(IdxFile({2}, std::string("\0\1", 2))));
  served_.Write("bucket/mnist/readme.md", "x");
  const auto mnist = Open("s3://bucket/mnist/?format=mnist");
  ASSERT_TRUE(mnist.ok()) << mnist.status();
  EXPECT_EQ((*mnist)->size(), 2);
  served_.Write("bucket/arrays/x.npy", NpyFile("<f4", "(2, 3)", BytesOf<float>({1, 2, 3, 4, 5, 6})));
  served_.Write("bucket/arrays/y.npy", NpyFile("<i8", "(2,)", BytesOf<int64_t>({0, 1})));
  const auto arrays = Open("s3://bucket/arrays/?format=arrays&target=y&split=all");
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  EXPECT_THAT((*arrays)->class_names(), ElementsAre("0", "1"));
}

}  // namespace
}  // namespace quantry::engine
