#include "worker/engine/export/write_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "tests/worker/engine/export/quantized_net.h"
#include "worker/engine/import/import_onnx.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

TEST(WriteOnnxTest, FloatModelKeepsBatchNormAndComputesTheSame) {
  Graph graph = BuildSmallNet(14);
  const at::Tensor data = at::randn({3, 3, 8, 8});
  const at::Tensor expected = RunGraph(graph, data);
  const auto path = std::filesystem::path(::testing::TempDir()) / "float.onnx";
  ASSERT_TRUE(WriteOnnxFile(graph, path).ok());
  const auto read = ImportOnnxFile(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::equal(RunGraph(*read, data), expected));
  EXPECT_NE(read->FindNode("stem.norm"), nullptr);
  EXPECT_EQ(read->ParameterCount(), graph.ParameterCount());
  EXPECT_EQ(read->inputs().at(0)->type.shape->at(0), std::nullopt);
  EXPECT_TRUE(RemoveAll(path).ok());
}

TEST(WriteOnnxTest, AxesOfReductionsBecomeAttributesAndComeBack) {
  Graph graph;
  Value* input = graph.AddInput("input", {.dtype = at::kFloat});
  Value* axes =
      graph.AddInitializer("axes", at::tensor({2, 3}, at::kLong), InitializerRole::kConstant);
  graph.AddOutput(
      graph.AddNode("ReduceMean", "mean", {input, axes}, {{"keepdims", int64_t{0}}})->output());
  const auto bytes = WriteOnnx(graph);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto read = ImportOnnx(*bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  const at::Tensor x = at::randn({2, 3, 4, 5});
  EXPECT_TRUE(at::equal(RunGraph(*read, x), x.mean({2, 3})));
}

TEST(WriteOnnxTest, OurOwnOperatorsAreRefusedByName) {
  Graph graph = BuildSmallNet(1);
  InsertFakeQuant(graph, Annotate(graph, {}, {}).value());
  EXPECT_THAT(std::string(WriteOnnx(graph).status().message()), HasSubstr("input.fake_quant"));
}

}  // namespace
}  // namespace quantry::engine
