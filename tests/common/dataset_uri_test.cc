#include "common/dataset_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry {
namespace {

using testing::HasSubstr;

TEST(DatasetUriTest, SplitsAndDecodes) {
  const auto uri = DatasetUri::Parse("file:///a%20b/c%3fd?holdout=0.25&class_list=a%26b");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->scheme().name, "file");
  EXPECT_EQ(uri->path(), "/a b/c?d");
  EXPECT_EQ(uri->Number("holdout"), 0.25);
  EXPECT_EQ(uri->Text("class_list"), "a&b");
  EXPECT_EQ(uri->Text("split"), "auto") << "the fallback is the first choice";
  EXPECT_TRUE(uri->Has("holdout"));
  EXPECT_FALSE(uri->Has("split"));
}

TEST(DatasetUriTest, AbsentParametersHaveTheSchemesFallback) {
  const auto uri = DatasetUri::Parse("synthetic://glyphs?size=64&seed=9223372036854775807");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->Integer("size"), 64);
  EXPECT_EQ(uri->Integer("classes"), 36);
  EXPECT_EQ(uri->Integer("seed"), 9223372036854775807);
  EXPECT_EQ(uri->Number("difficulty"), 1.0);
}

struct BadUri {
  const char* uri;
  const char* message;  // part of it
};

class BadUriTest : public testing::TestWithParam<BadUri> {};

TEST_P(BadUriTest, IsRefusedWithAHint) {
  const absl::Status status = DatasetUri::Parse(GetParam().uri).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadUriTest,
    testing::Values(
        BadUri{"", "has no scheme"}, BadUri{"/data/pictures", "write file:///"},
        BadUri{"://x", "has no scheme"},
        BadUri{"gs://bucket/x", "unknown scheme 'gs'; allowed: file, synthetic"},
        BadUri{"gs://bucket/x", "https, s3"},
        BadUri{"fil:///x", "did you mean 'file'"}, BadUri{"file://host/x", "absolute path"},
        BadUri{"file://", "absolute path"}, BadUri{"file:///tmp%zz", "two hex digits"},
        BadUri{"file:///tmp%0", "two hex digits"}, BadUri{"file:///tmp%00", "%00"},
        BadUri{"file:///tmp?holdout", "key=value"}, BadUri{"file:///tmp?holdout=2", "'2'"},
        BadUri{"file:///tmp?holdout=nan", "a number from"},
        BadUri{"file:///tmp?holdouts=0.1", "did you mean 'holdout'"},
        BadUri{"file:///tmp?split=test", "allowed: auto, all"},
        BadUri{"file:///tmp?holdout=0.1&split=all", "has no effect"},
        BadUri{"synthetic://letters", "allowed: synthetic://glyphs"},
        BadUri{"synthetic://glyphs?clases=3", "did you mean 'classes'"},
        BadUri{"synthetic://glyphs?classes=1", "from 2 to 62"},
        BadUri{"synthetic://glyphs?classes=63", "from 2 to 62"},
        BadUri{"synthetic://glyphs?classes=ten", "'ten'"},
        BadUri{"synthetic://glyphs?classes=3&classes=4", "given twice"},
        BadUri{"synthetic://glyphs?size=15", "from 16 to 256"},
        BadUri{"synthetic://glyphs?size=257", "from 16 to 256"},
        BadUri{"synthetic://glyphs?train=0", "from 1"},
        BadUri{"synthetic://glyphs?val=-1", "from 1"},
        BadUri{"synthetic://glyphs?val=99999999999999999999", "a whole number"},
        BadUri{"synthetic://glyphs?seed=-1", "from 0"},
        BadUri{"synthetic://glyphs?difficulty=2.1", "from 0 to 2"},
        BadUri{"synthetic://glyphs?color=yes", "from 0 to 1"},
        BadUri{"cifar10://data", "cifar10:///path/to/folder"},
        BadUri{"cifar10:///x?labels=fine", "unknown parameter 'labels'"},
        BadUri{"cifar100:///x?labels=rough", "allowed: fine, coarse"},
        BadUri{"mnist:///x?limit=0", "from 1"}, BadUri{"csv:///x?header=yes", "from 0 to 1"},
        BadUri{"csv:///x?root=", "not empty"},
        BadUri{"wds:///x?holdout=0.5&split=all", "has no effect"}));

INSTANTIATE_TEST_SUITE_P(
    Remote, BadUriTest,
    testing::Values(
        BadUri{"https://host", "path of an object is missing"},
        BadUri{"https:///a.tar", "'' is no HOST or HOST:PORT"},
        BadUri{"https://ho st/a.tar", "'ho st' is no HOST"},
        BadUri{"https://host:0/a.tar", "'host:0' is no HOST"},
        BadUri{"https://host:65536/a.tar", "'host:65536'"},
        BadUri{"https://host:/a.tar", "'host:'"}, BadUri{"https://[::1/a.tar", "'[::1'"},
        BadUri{"https://host/d/", "https can't list one; name an object or a range"},
        BadUri{"https://host/../a.tar", "'.' and '..' are not allowed"},
        BadUri{"https://host/a/%2e%2E/b.tar", "'.' and '..' are not allowed"},
        BadUri{"https://host/{0..1}/a.tar", "last part of the path alone"},
        BadUri{"https://host/a.zip", "ends in none of .tar, .npz, .npy, .safetensors, .csv"},
        BadUri{"https://host/a.zip", "parameter 'format' what it is: wds, arrays, csv"},
        BadUri{"https://host/a.tar?format=zip", "'zip', which is not read from one object"},
        BadUri{"https://host/a.tar?format=mnist", "allowed: wds, arrays, csv"},
        BadUri{"https://host/a.tar?inputs=x", "unknown parameter 'inputs'"},
        BadUri{"https://host/a.tar?sha256=abc", "64 lower-case hex digits"},
        BadUri{"https://host/a%zz.tar", "two hex digits"},
        BadUri{"https://host/a%00.tar", "%00"},
        BadUri{"s3://b/a.tar", "'b' is no name of a bucket"},
        BadUri{"s3://Bucket/a.tar", "'Bucket' is no name of a bucket"},
        BadUri{"s3://bucket:80/a.tar", "is no name of a bucket"},
        BadUri{"s3://-bucket/a.tar", "is no name of a bucket"},
        BadUri{"s3://buc..ket/a.tar", "is no name of a bucket"},
        BadUri{"s3://bucket/d/?format=csv", "not read from a prefix; allowed: wds, arrays, mnist"},
        BadUri{"s3://bucket/d/?sha256="
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
               "'sha256' is of one object"},
        BadUri{"https://h/a-{0..9}.tar?sha256="
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
               "'sha256' is of one object"}));

TEST(DatasetUriTest, UsersAndPasswordsAreRefusedAndNotRepeated) {
  for (const char* uri : {"https://user:hidden@host/a.tar", "https://hidden@host/a.tar",
                          "s3://hidden@bucket/a.tar", "http://user:hid%zzden@host/a"}) {
    const absl::Status status = DatasetUri::Parse(uri).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("must not stand in the URI"));
    EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("hid")));
  }
}

TEST(DatasetUriTest, RemotePlacesAreReadByWhatTheyEndIn) {
  const auto uri = DatasetUri::Parse("https://Host.Example:8443/a%20b/train-{00..11}.tar?limit=5");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->scheme().name, "wds");
  ASSERT_TRUE(uri->remote().has_value());
  EXPECT_EQ(uri->remote()->ToString(), "https://host.example:8443/a b/train-{00..11}.tar");
  EXPECT_EQ(uri->remote()->folder(), "/a b/");
  EXPECT_EQ(uri->remote()->name(), "train-{00..11}.tar");
  EXPECT_EQ(uri->Integer("limit"), 5);
  EXPECT_EQ(uri->Text("sha256"), "");
  const DatasetUri fetched = uri->FetchedTo("/copies/x.tar");
  EXPECT_EQ(fetched.path(), "/copies/x.tar");
  EXPECT_EQ(fetched.Integer("limit"), 5);
  EXPECT_TRUE(fetched.remote().has_value());
  const std::pair<const char*, const char*> cases[] = {
      {"http://127.0.0.1/x.npz?target=y", "arrays"}, {"http://[::1]:80/x.npy", "arrays"},
      {"s3://my.bucket-1/x.safetensors", "arrays"},  {"s3://bucket", "wds"},
      {"s3://bucket/d/?format=mnist", "mnist"},      {"https://h/list.csv?root=%2Fd", "csv"},
      {"https://h/download?format=wds", "wds"},      {"s3://bucket/d/?format=cifar100", "cifar100"},
  };
  for (const auto& [text, scheme] : cases) {
    const auto parsed = DatasetUri::Parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->scheme().name, scheme) << text;
  }
}

TEST(DatasetSchemesTest, EveryRemoteSchemesFormIsOneThatParses) {
  for (const RemoteScheme& scheme : RemoteSchemes()) {
    EXPECT_TRUE(DatasetUri::Parse(scheme.form).ok()) << DatasetUri::Parse(scheme.form).status();
    EXPECT_EQ(FindRemoteScheme(scheme.name), &scheme);
    EXPECT_EQ(FindDatasetScheme(scheme.name), nullptr);
  }
  for (const RemoteFormat& format : RemoteFormats()) {
    EXPECT_NE(FindDatasetScheme(format.scheme), nullptr) << format.scheme;
  }
}

TEST(DatasetSchemesTest, EverySchemesFormIsOneThatParses) {
  for (const DatasetScheme& scheme : DatasetSchemes()) {
    const absl::string_view form = scheme.form.substr(0, scheme.form.find('?'));
    EXPECT_TRUE(DatasetUri::Parse(form).ok()) << DatasetUri::Parse(form).status();
    EXPECT_EQ(FindDatasetScheme(scheme.name), &scheme) << "each name is there once";
  }
}

}  // namespace
}  // namespace quantry
