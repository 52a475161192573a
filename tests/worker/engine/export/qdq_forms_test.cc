// What ToQdq writes for each profile, integer type and kind of layer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/worker/engine/export/quantized_net.h"
#include "worker/engine/export/to_qdq.h"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

TEST(ToQdqProfileTest, TensorRtGetsSymmetricInt8WithoutClipsAndFloatBiases) {
  QuantConfig config;
  config.profile = "tensorrt";
  const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
  const Graph trained = FittedToProfile(BuildSmallNet(11), config, data);
  const auto qdq = ToQdq(trained, QdqOptionsOf(config));
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  EXPECT_EQ(Count(*qdq, "Clip"), 0);
  for (const Node* node : qdq->nodes()) {
    if (node->op() == "Conv" || node->op() == "Gemm") {
      EXPECT_TRUE(node->input(2)->is_initializer());
    }
    if (node->op() != "QuantizeLinear" && node->op() != "DequantizeLinear") continue;
    const at::Tensor& zero_point = node->input(2)->tensor();
    EXPECT_EQ(zero_point.scalar_type(), at::kChar);
    EXPECT_TRUE((zero_point == 0).all().item<bool>());
  }
  EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)), 0.01);
}

TEST(ToQdqProfileTest, TensorRtRefusesWhatItCantRun) {
  QuantConfig config;
  const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
  const Graph unsigned_grid = FittedToProfile(BuildSmallNet(11), config, data);
  const absl::Status refused = ToQdq(unsigned_grid, {.profile = "tensorrt"}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("stem.relu"));
  config.profile = "tensorrt";
  config.activation_bits = 4;
  const Graph four_bits = FittedToProfile(BuildSmallNet(11), config, data);
  EXPECT_THAT(std::string(ToQdq(four_bits, {.profile = "tensorrt"}).status().message()),
              HasSubstr("[-7, 7]"));
}

TEST(ToQdqProfileTest, StorageTypesAreAskedForAndExact) {
  for (const bool symmetric : {true, false}) {
    QuantConfig config;
    config.activation_symmetric = symmetric;
    const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
    const Graph trained = FittedToProfile(BuildSmallNet(11), config, data);
    const at::Tensor usual = RunGraph(*ToQdq(trained), data);
    for (const char* type : {"int8", "uint8"}) {
      const auto qdq = ToQdq(trained, {.weight_dtype = type, .activation_dtype = type});
      ASSERT_TRUE(qdq.ok()) << qdq.status();
      for (const Node* node : qdq->nodes()) {
        if (node->op() != "QuantizeLinear" && node->op() != "DequantizeLinear") continue;
        if (node->input(2) == nullptr) continue;  // biases
        EXPECT_EQ(node->input(2)->tensor().scalar_type(),
                  absl::string_view(type) == "int8" ? at::kChar : at::kByte)
            << node->name();
      }
      EXPECT_TRUE(at::allclose(RunGraph(*qdq, data), usual, 1e-4, 1e-5));
    }
  }
}

struct Width {
  int weight_bits;
  int activation_bits;
  const char* dtype;
};

TEST(ToQdqFormTest, OtherIntegersAreWrittenInOpset21AndReadBack) {
  for (const Width& width : {Width{4, 8, "int4"}, Width{3, 4, "int4"}, Width{8, 8, "int4"},
                             Width{16, 16, "int8"}, Width{12, 8, "int8"}, Width{8, 9, "int8"}}) {
    SCOPED_TRACE(absl::StrCat(width.weight_bits, " ", width.activation_bits, " ", width.dtype));
    QuantConfig config;
    config.weight_bits = width.weight_bits;
    config.activation_bits = width.activation_bits;
    config.dtype = width.dtype;
    const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
    const Graph trained = FittedToProfile(BuildSmallNet(11), config, data);
    const auto qdq = ToQdq(trained, QdqOptionsOf(config));
    ASSERT_TRUE(qdq.ok()) << qdq.status();
    const at::Tensor actual = RunGraph(*qdq, data);
    EXPECT_LT(RelativeError(actual, RunGraph(trained, data)),
              width.activation_bits < 8 ? 0.05 : 0.01);
    const auto bytes = WriteOnnx(*qdq, {.pack_int4 = config.dtype == "int4"});
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto read = ImportOnnx(*bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    const bool newer = width.weight_bits != 8 || width.activation_bits != 8;
    EXPECT_THAT(read->doc, HasSubstr(newer ? "opset 21" : "opset 17"));
    EXPECT_TRUE(at::allclose(RunGraph(*read, data), actual, 1e-5, 1e-6));
  }
}

TEST(ToQdqFormTest, PackedWeightsTakeHalfAByte) {
  QuantConfig config;
  config.weight_bits = 4;
  const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
  const Graph trained = FittedToProfile(BuildSmallNet(11), config, data);
  const size_t bytes = WriteOnnx(*ToQdq(trained))->size();
  const auto packed = ToQdq(trained, {.weight_dtype = "int4"});
  // 5 * 8 + 8 * 3 * 9 + 8 * 9 + 8 * 8 * 9 weights.
  EXPECT_LT(WriteOnnx(*packed, {.pack_int4 = true})->size() + 904 / 2 - 200, bytes);
  for (const Node* node : packed->nodes()) {
    if (node->op() != "Conv") continue;
    EXPECT_EQ(node->input(2)->tensor().scalar_type(), at::kFloat);
  }
}

// Layers of other kinds, one after the other, on rows of 12.
Graph BuildKinds() {
  at::manual_seed(31);
  Graph graph;
  const auto node = [&](const char* op, const char* name, std::vector<Value*> inputs,
                        AttributeMap attributes = {}) {
    return graph.AddNode(op, name, std::move(inputs), std::move(attributes))->output();
  };
  const auto weight = [&](const char* name, at::IntArrayRef sizes) {
    return graph.AddInitializer(name, at::randn(sizes) * 0.3, InitializerRole::kParameter);
  };
  Value* input = graph.AddInput("input", {.dtype = at::kFloat});
  Value* x = node("Conv", "conv", {input, weight("conv.weight", {6, 4, 3}), weight("b1", {6})},
                  {{"pads", std::vector<int64_t>{1, 1}}});
  x = node("ConvTranspose", "up", {x, weight("up.weight", {6, 5, 2}), weight("b2", {5})},
           {{"strides", std::vector<int64_t>{2}}});
  x = node("Relu", "relu", {x});
  Value* turned = node("Transpose", "turned", {x}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  x = node("MatMul", "product", {x, turned});
  Value* gate = node("Sigmoid", "gate", {x});
  Value* gated = node("Mul", "gated", {x, gate});
  x = node("Add", "sum", {x, gated});
  x = node("Concat", "both", {x, gated}, {{"axis", int64_t{1}}});
  x = node("MaxPool", "largest", {x}, {{"kernel_shape", std::vector<int64_t>{2}}});
  x = node("AveragePool", "mean", {x}, {{"kernel_shape", std::vector<int64_t>{2}}});
  graph.AddOutput(node("Conv", "last", {x, weight("last.weight", {3, 10, 1}), weight("b3", {3})}));
  return graph;
}

TEST(ToQdqKindsTest, EveryKindOfLayerReadsQuantizedTensors) {
  for (const char* profile : {"onnxruntime", "openvino", "paddle"}) {
    SCOPED_TRACE(profile);
    QuantConfig config;
    config.profile = profile;
    config.quantizable_layer_type = {"Conv1D", "Conv1DTranspose", "MatMul",  "Add",
                                     "Mul",    "Concat",          "MaxPool", "AveragePool"};
    const at::Tensor data = (at::manual_seed(9), at::randn({16, 4, 12}));
    const Graph trained = FittedToProfile(BuildKinds(), config, data);
    const auto qdq = ToQdq(trained, QdqOptionsOf(config));
    ASSERT_TRUE(qdq.ok()) << qdq.status();
    const auto reads = [&](const char* name, size_t slot) -> const Node& {
      const Node* producer = qdq->FindNode(name)->input(slot)->producer();
      EXPECT_NE(producer, nullptr);
      EXPECT_EQ(producer->op(), "DequantizeLinear") << name << " " << slot;
      return *producer;
    };
    for (const char* name : {"conv", "up", "product", "gated", "sum", "last"}) {
      reads(name, 0);
      reads(name, 1);
    }
    reads("mean", 0);
    // One scale per output channel: axis 1 of ConvTranspose's weight.
    EXPECT_EQ(reads("up", 1).Int("axis", -1), 1);
    EXPECT_EQ(reads("up", 1).input(1)->tensor().numel(), 5);
    EXPECT_EQ(reads("conv", 1).Int("axis", -1), 0);
    EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)), 0.02);
    const auto bytes = WriteOnnx(*qdq);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_TRUE(
        at::allclose(RunGraph(*ImportOnnx(*bytes), data), RunGraph(*qdq, data), 1e-5, 1e-6));
  }
}

}  // namespace
}  // namespace quantry::engine
