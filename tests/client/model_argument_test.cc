#include "client/model_argument.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry::client {
namespace {

using testing::HasSubstr;

v1::ModelSource Source(const char* argument) {
  return std::get<v1::ModelSource>(ParseModelArgument(argument).value());
}

TEST(ModelArgumentTest, Builtin) {
  EXPECT_EQ(Source("builtin:resnet18").builtin().name(), "resnet18");
  EXPECT_FALSE(Source("builtin:resnet18").builtin().has_num_classes());
  const v1::ModelSource source = Source("builtin:mobilenet_v2?classes=36&width=0.5");
  EXPECT_EQ(source.builtin().name(), "mobilenet_v2");
  EXPECT_EQ(source.builtin().num_classes(), 36);
  EXPECT_EQ(source.builtin().width(), 0.5);
}

TEST(ModelArgumentTest, JobAndFile) {
  EXPECT_EQ(Source("job:0abc").job(), "jobs/0abc");
  EXPECT_EQ(Source("job:jobs/0abc").job(), "jobs/0abc");
  EXPECT_EQ(std::get<std::filesystem::path>(ParseModelArgument("a/m.onnx").value()), "a/m.onnx");
  EXPECT_EQ(std::get<std::filesystem::path>(ParseModelArgument("./job:x").value()), "./job:x");
}

TEST(ModelArgumentTest, RefusalsSayWhatIsAllowed) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "builtin:NAME"},
      {"builtin:", "name is missing"},
      {"builtin:resnet18?classes=x", "classes is 'x'; allowed: an integer"},
      {"builtin:resnet18?width=x", "width is 'x'"},
      {"builtin:resnet18?depth=3", "unknown option 'depth'; allowed: classes, width"},
      {"job:a/b", "is no job"},
  };
  for (const auto& [argument, expected] : cases) {
    const absl::Status status = ParseModelArgument(argument).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << argument;
    EXPECT_THAT(std::string(status.message()), HasSubstr(expected));
  }
}

TEST(ModelArgumentTest, Descriptions) {
  EXPECT_EQ(DescribeModel(Source("builtin:mobilenet_v2?width=0.5")), "mobilenet_v2 x0.5");
  EXPECT_EQ(DescribeModel(Source("job:0abc")), "jobs/0abc");
  v1::ModelSource blob;
  blob.set_blob("0123456789abcdef");
  EXPECT_EQ(DescribeModel(blob), "onnx 01234567");
  EXPECT_EQ(DescribeModel(v1::ModelSource()), "-");
}

}  // namespace
}  // namespace quantry::client
