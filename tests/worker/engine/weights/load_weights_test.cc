#include "worker/engine/weights/load_weights.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "worker/engine/export/write_onnx.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

Graph Build(uint64_t seed, int64_t classes = 10) {
  return *BuildZooModel("mobilenet_v2", {.num_classes = classes, .width = 0.25, .seed = seed});
}

WeightMap WeightsOf(const Graph& graph) {
  WeightMap weights;
  for (const InitializerRole role : {InitializerRole::kParameter, InitializerRole::kBuffer}) {
    for (const Value* value : graph.initializers(role)) weights[value->name()] = value->tensor();
  }
  return weights;
}

std::string Problems(const WeightMap& weights, const LoadWeightsOptions& options = {}) {
  Graph graph = Build(2);
  const WeightMap before = WeightsOf(graph.Clone());
  const absl::Status status = LoadWeights(weights, options, graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  for (const auto& [name, tensor] : before) {
    EXPECT_TRUE(tensor.equal(graph.FindValue(name)->tensor())) << name;
  }
  return std::string(status.message());
}

TEST(LoadWeights, CopiesParametersAndBuffersByName) {
  const Graph source = Build(1);
  WeightMap weights = WeightsOf(source);
  weights["features.0.1.running_mean"] = at::full({8}, 0.5f);
  weights["features.0.1.num_batches_tracked"] = at::zeros({}, at::kLong);
  Graph graph = Build(2);
  ASSERT_TRUE(LoadWeights(weights, {}, graph).ok());
  EXPECT_EQ(graph.FindValue("features.0.1.running_mean")->tensor()[7].item<float>(), 0.5f);
  const Value* classifier = graph.FindValue("classifier.1.weight");
  EXPECT_TRUE(classifier->tensor().equal(weights["classifier.1.weight"]));
  // A copy: training the one must not change the other.
  EXPECT_NE(classifier->tensor().data_ptr(), weights["classifier.1.weight"].data_ptr());
}

TEST(LoadWeights, NewClassifierKeepsTheLastLayer) {
  const WeightMap weights = WeightsOf(Build(1, /*classes=*/12));
  EXPECT_THAT(Problems(weights), HasSubstr("'classifier.1.weight' is [12,1280] in the file and "
                                           "[10,1280] in the network (set new_classifier"));
  Graph graph = Build(2);
  const at::Tensor before = graph.FindValue("classifier.1.weight")->tensor().clone();
  ASSERT_TRUE(LoadWeights(weights, {.new_classifier = true}, graph).ok());
  EXPECT_TRUE(graph.FindValue("classifier.1.weight")->tensor().equal(before));
  const char* first = "features.0.0.weight";
  EXPECT_TRUE(graph.FindValue(first)->tensor().equal(weights.at(first)));
  WeightMap without = weights;
  without.erase("classifier.1.weight");
  without.erase("classifier.1.bias");
  EXPECT_TRUE(LoadWeights(without, {.new_classifier = true}, graph).ok());
  EXPECT_THAT(Problems(without), HasSubstr("'classifier.1.bias' is missing in the file"));
}

TEST(LoadWeights, ReportsAllDifferencesTogether) {
  WeightMap weights = WeightsOf(Build(1));
  weights["features.0.0.wieght"] = weights["features.0.0.weight"];
  weights.erase("features.0.0.weight");
  weights["features.0.1.weight"] = at::ones({9});
  weights["features.0.1.bias"] = at::zeros({8}, at::kLong);
  weights["features.1.conv.2.bias"] = at::full({8}, std::numeric_limits<float>::quiet_NaN());
  const std::string problems = Problems(weights);
  EXPECT_THAT(problems, HasSubstr("do not fit the network 'mobilenet_v2'"));
  EXPECT_THAT(problems, HasSubstr("'features.0.1.weight' is [9] in the file and [8]"));
  EXPECT_THAT(problems, HasSubstr("'features.0.1.bias' has no floating-point values"));
  EXPECT_THAT(problems, HasSubstr("'features.1.conv.2.bias' holds NaN"));
  EXPECT_THAT(problems, HasSubstr("'features.0.0.weight' is missing in the file (nearest in the "
                                  "file: 'features.0.0.wieght')"));
  EXPECT_THAT(problems, HasSubstr("'features.0.0.wieght' is not in the network (nearest in the "
                                  "network: 'features.0.0.weight')"));
  EXPECT_THAT(problems, Not(HasSubstr("more")));
}

TEST(LoadWeights, NamesTheFirstTenDifferences) {
  const size_t all = WeightsOf(Build(1)).size();
  const std::string problems = Problems({{"module.\n", at::ones({1})}});
  EXPECT_THAT(problems, HasSubstr(absl::StrCat("and ", all + 1 - 10, " more")));
}

class ReadWeights : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string Error(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    const auto weights = ReadWeightsFile(path_);
    EXPECT_EQ(weights.status().code(), absl::StatusCode::kInvalidArgument) << weights.status();
    return std::string(weights.status().message());
  }
  const std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / absl::StrCat("read_weights.", ::getpid());
};

TEST_F(ReadWeights, OnnxByName) {
  const Graph source = Build(1);
  ASSERT_TRUE(WriteOnnxFile(source, path_).ok());
  const auto weights = ReadWeightsFile(path_);
  ASSERT_TRUE(weights.ok()) << weights.status();
  Graph graph = Build(2);
  ASSERT_TRUE(LoadWeights(*weights, {}, graph).ok());
  for (const auto& [name, tensor] : WeightsOf(source)) {
    EXPECT_TRUE(tensor.equal(graph.FindValue(name)->tensor())) << name;
  }
}

std::string Safetensors(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  return file + header + data;
}

TEST_F(ReadWeights, SafetensorsOfEveryFloatingType) {
  const std::string header = R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},)"
                             R"("b":{"dtype":"F16","shape":[1],"data_offsets":[2,4]},)"
                             R"("c":{"dtype":"F64","shape":[],"data_offsets":[4,12]}})";
  const std::string data("\x40\xC0\x00\xC2\x00\x00\x00\x00\x00\x00\x08\xC0", 12);
  std::ofstream(path_, std::ios::binary) << Safetensors(header, data);
  const auto weights = ReadWeightsFile(path_);
  ASSERT_TRUE(weights.ok()) << weights.status();
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(weights->at(name).scalar_type(), at::kFloat) << name;
    EXPECT_EQ(weights->at(name).item<float>(), -3.0f) << name;
  }
}

TEST_F(ReadWeights, RefusalsNameTheKind) {
  EXPECT_THAT(Error(""), HasSubstr("kind is unknown; allowed: safetensors, ONNX, TorchScript"));
  EXPECT_THAT(Error("PK\x03\x04 no archive"), HasSubstr("weights (TorchScript): not a sound"));
  EXPECT_THAT(Error("\x08 no model"), HasSubstr("weights (ONNX): "));
  EXPECT_THAT(Error(std::string("\xff\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("weights (safetensors): not a sound safetensors file: its header has 255"));
  EXPECT_THAT(Error(Safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x")),
              HasSubstr("tensor 'a' has dtype U8"));
  EXPECT_EQ(ReadWeightsFile("/no/such/file").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace quantry::engine
