#include "worker/engine/export/to_qdq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/export/tensor_report.h"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

Graph Quantized(Graph graph, const QuantConfig& config, const at::Tensor& data) {
  if (FoldsBatchNormBeforeTraining(config)) FoldBatchNorm(graph);
  InsertFakeQuant(graph, Annotate(graph, config, {}).value());
  RunGraph(graph, data, RunPhase::kCalibrate);
  return graph;
}

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

struct Case {
  int bits;
  const char* weight_quantizer;
  const char* activation_quantizer;
  bool pact;
};

class ToQdqTest : public ::testing::TestWithParam<Case> {
 protected:
  static QuantConfig Config() {
    QuantConfig config;
    config.weight_bits = config.activation_bits = GetParam().bits;
    config.weight_quantize_type = GetParam().weight_quantizer;
    config.activation_quantize_type = GetParam().activation_quantizer;
    if (GetParam().pact) config.activation_preprocess_type = config.weight_preprocess_type = "PACT";
    return config;
  }
};

TEST_P(ToQdqTest, ComputesWhatWasTrainedAlsoAfterWritingAndReading) {
  const at::Tensor data = (at::manual_seed(7), at::randn({32, 3, 8, 8}));
  Graph trained = Quantized(BuildSmallNet(11), Config(), data);
  // As training would leave it: alpha below what was observed.
  for (Value* alpha : PactAlphas(trained)) alpha->tensor().mul_(0.7);
  const at::Tensor expected = RunGraph(trained, data);
  const auto qdq = ToQdq(trained);
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  for (const Node* node : qdq->nodes()) {
    EXPECT_NE(node->op(), "quantry.FakeQuantize");
    EXPECT_NE(node->op(), "BatchNormalization");
    EXPECT_NE(node->op(), "Dropout");
  }
  EXPECT_EQ(qdq->outputs().at(0)->name(), "logits");
  const at::Tensor actual = RunGraph(*qdq, data);
  // A value that lies next to the middle of two integers may go either way: the fewer bits, the
  // farther.
  EXPECT_LT(RelativeError(actual, expected), GetParam().bits == 8 ? 0.01 : 0.05);

  const auto bytes = WriteOnnx(*qdq);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto read = ImportOnnx(*bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::allclose(RunGraph(*read, data), actual, 1e-5, 1e-6));
}

TEST_P(ToQdqTest, WeightsAreSmallIntegersAndBiasesInt32) {
  const at::Tensor data = (at::manual_seed(8), at::randn({8, 3, 8, 8}));
  const auto qdq = ToQdq(Quantized(BuildSmallNet(12), Config(), data));
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  int layers = 0;
  for (const Node* node : qdq->nodes()) {
    if (node->op() != "Conv" && node->op() != "Gemm") continue;
    ++layers;
    const Node* weight = node->input(1)->producer();
    ASSERT_NE(weight, nullptr);
    const at::Tensor& integers = weight->input(0)->tensor();
    ASSERT_EQ(integers.scalar_type(), at::kChar);
    // The trained integers, times 2^(8-bits).
    const int spread = 1 << (8 - GetParam().bits);
    EXPECT_TRUE((integers.remainder(spread) == 0).all().item<bool>());
    EXPECT_LE(integers.to(at::kInt).abs().max().item<int>(), QuantMax(GetParam().bits) * spread);
    EXPECT_TRUE((weight->input(1)->tensor() > 0).all().item<bool>());
    const Node* bias = node->input(2)->producer();
    ASSERT_NE(bias, nullptr);
    EXPECT_EQ(bias->input(0)->tensor().scalar_type(), at::kInt);
    const at::Tensor step =
        weight->input(1)->tensor() * node->input(0)->producer()->input(1)->tensor();
    EXPECT_TRUE(at::equal(bias->input(1)->tensor(), step));
  }
  EXPECT_EQ(layers, 4);
}

INSTANTIATE_TEST_SUITE_P(
    All, ToQdqTest,
    ::testing::Values(Case{8, "channel_wise_abs_max", "moving_average_abs_max", false},
                      Case{8, "abs_max", "abs_max", false},
                      Case{8, "moving_average_abs_max", "moving_average_abs_max", true},
                      Case{8, "range_abs_max", "range_abs_max", true},
                      Case{6, "channel_wise_lsq_weight", "lsq_act", false},
                      Case{4, "channel_wise_abs_max", "moving_average_abs_max", false},
                      Case{4, "channel_wise_abs_max", "abs_max", true},
                      Case{3, "abs_max", "moving_average_abs_max", true}));

Graph FittedToProfile(Graph graph, const QuantConfig& config, const at::Tensor& data) {
  QuantPlan plan = Annotate(graph, config, {}).value();
  FitToProfile(graph, config, plan);
  InsertFakeQuant(graph, plan);
  RunGraph(graph, data, RunPhase::kCalibrate);
  return graph;
}

// Counts nodes of the kind.
int Count(const Graph& graph, absl::string_view op) {
  int count = 0;
  for (const Node* node : graph.nodes()) count += node->op() == op;
  return count;
}

TEST(ToQdqFusionTest, EveryConvolutionEndsInAQuantizerAndComputesTheSame) {
  for (const char* quantizer : {"moving_average_abs_max", "lsq_act"}) {
    for (const int bits : {2, 4, 8}) {
      QuantConfig config;
      config.activation_bits = bits;
      config.activation_quantize_type = quantizer;
      const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
      const Graph trained = FittedToProfile(BuildSmallNet(11), config, data);
      const auto qdq = ToQdq(trained);
      ASSERT_TRUE(qdq.ok()) << qdq.status();
      for (const Node* node : qdq->nodes()) {
        if (node->op() != "Conv") continue;
        ASSERT_EQ(node->output()->uses().size(), 1u) << node->name();
        EXPECT_EQ(node->output()->uses()[0].node->op(), "QuantizeLinear") << node->name();
      }
      EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)),
                bits == 8 ? 0.01 : 0.05)
          << quantizer << " " << bits;
    }
  }
}

TEST(ToQdqFusionTest, ClampsThatTheQuantizerMakesNeedlessGo) {
  const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
  const Graph eight = FittedToProfile(BuildSmallNet(11), {}, data);
  EXPECT_EQ(Count(*ToQdq(eight), "Relu"), 0);
  // Signed integers need it, and other runtimes fuse it themselves.
  EXPECT_EQ(Count(*ToQdq(eight, {.activation_dtype = "int8"}), "Relu"), 0);
  EXPECT_EQ(Count(*ToQdq(eight, {.profile = "openvino"}), "Relu"), 2);
  QuantConfig symmetric;
  symmetric.activation_dtype = "int8";
  const Graph with_sign = FittedToProfile(BuildSmallNet(11), symmetric, data);
  EXPECT_EQ(Count(*ToQdq(with_sign), "Relu"), 2);
}

// conv -> Clip(0, bound) -> quantizer: the Clip goes exactly where the quantizer saturates there.
TEST(ToQdqFusionTest, OnlyClipsAtOrBeyondTheRangeAreNeedless) {
  for (const float bound : {0.5f, 6.0f, 1e6f}) {
    at::manual_seed(4);
    Graph graph;
    Value* x = graph.AddInput("input", {.dtype = at::kFloat});
    x = AddConv(graph, "first", x, 3, 8, 1, /*norm=*/true);
    const auto constant = [&](float value) {
      return graph.AddInitializer("bound", at::full({}, value), InitializerRole::kConstant);
    };
    x = graph.AddNode("Clip", "clip", {x, constant(0), constant(bound)})->output();
    graph.AddOutput(AddConv(graph, "second", x, 8, 4, 1, /*norm=*/false));
    const at::Tensor data = at::randn({4, 3, 9, 9});
    Graph trained = FittedToProfile(std::move(graph), {}, data);
    trained.FindValue("clip.scale")->tensor().copy_(at::tensor({0.0f, 6.0f}));
    const auto qdq = ToQdq(trained);
    ASSERT_TRUE(qdq.ok()) << qdq.status();
    EXPECT_EQ(Count(*qdq, "Clip"), bound < 6 ? 1 : 0) << bound;
    EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)), 0.01) << bound;
  }
}

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

// One layer: the only differences are float rounding and the rounded bias.
TEST(ToQdqExactTest, OneLayerDiffersByTheBiasStepAtMost) {
  const std::pair<const char*, const char*> quantizers[] = {
      {"channel_wise_abs_max", "moving_average_abs_max"},
      {"channel_wise_lsq_weight", "lsq_act"},
      {"channel_wise_lsq_weight", "lsq_plus_act"},
      {"dorefa_weight", "abs_max"}};
  for (const auto& [weight, activation] : quantizers) {
    for (const int bits : {2, 4, 8}) {
      at::manual_seed(21);
      Graph graph;
      Value* input = graph.AddInput("input", {.dtype = at::kFloat});
      graph.AddOutput(AddConv(graph, "conv", input, 3, 16, 1, /*norm=*/true));
      QuantConfig config;
      config.weight_bits = config.activation_bits = bits;
      config.weight_quantize_type = weight;
      config.activation_quantize_type = activation;
      const at::Tensor data = at::randn({4, 3, 9, 9});
      const Graph trained = Quantized(std::move(graph), config, data);
      const auto qdq = ToQdq(trained);
      ASSERT_TRUE(qdq.ok()) << qdq.status();
      const Node* conv = qdq->FindNode("conv");
      const at::Tensor half_step = conv->input(2)->producer()->input(1)->tensor() / 2;
      const at::Tensor difference = (RunGraph(*qdq, data) - RunGraph(trained, data)).abs();
      EXPECT_TRUE((difference <= half_step.view({1, -1, 1, 1}) + 1e-4).all().item<bool>())
          << weight << " " << activation << " " << bits;
      // Channel 0 has gamma = 0: nothing but its beta, and precisely that. DoReFa has no 0.
      if (std::string(weight) != "dorefa_weight") {
        EXPECT_LT(difference.select(1, 0).max().item<float>(), 1e-5) << weight << " " << bits;
      }
    }
  }
}

// What a learned step starts with at 8 bits is several times coarser than max|x| / 127, for weights
// and activations alike, and so is the step of the bias, which is their product. Rounding biases
// anew within half a step moves the outputs as far as the export does: that is all there is to it.
TEST(ToQdqExactTest, LearnedStepsDifferByWhatRoundingTheBiasesDoes) {
  QuantConfig config;
  config.weight_quantize_type = "channel_wise_lsq_weight";
  config.activation_quantize_type = "lsq_act";
  const at::Tensor data = (at::manual_seed(7), at::randn({32, 3, 8, 8}));
  double exported = 0, moved = 0;
  for (const uint64_t seed : {11, 12, 13, 14}) {
    const Graph trained = Quantized(BuildSmallNet(seed), config, data);
    const Graph qdq = std::move(ToQdq(trained).value());
    Graph other = qdq.Clone();
    for (Node* node : other.nodes()) {
      if (node->op() != "Conv" && node->op() != "Gemm") continue;
      const Node* bias = node->input(2)->producer();
      const at::Tensor step = bias->input(1)->tensor();
      const at::Tensor value =
          (bias->input(0)->tensor().to(at::kFloat) + at::rand(step.sizes()) - 0.5) * step;
      other.SetInput(node, 2, other.AddInitializer("moved", value, InitializerRole::kConstant));
    }
    const at::Tensor result = RunGraph(qdq, data);
    exported += RelativeError(result, RunGraph(trained, data));
    moved += RelativeError(RunGraph(other, data), result);
  }
  EXPECT_LT(exported, 3 * moved);
  EXPECT_LT(exported / 4, 0.03);
}

TEST(ToQdqExactTest, BiasFarAboveTheWeightsStillFits) {
  at::manual_seed(22);
  Graph graph;
  Value* input = graph.AddInput("input", {.dtype = at::kFloat});
  graph.AddOutput(AddConv(graph, "conv", input, 3, 4, 1, /*norm=*/true));
  graph.FindValue("conv.gamma")->tensor().fill_(1e-9);
  graph.FindValue("conv.beta")->tensor().fill_(100);
  const at::Tensor data = at::randn({2, 3, 9, 9});
  const auto qdq = ToQdq(Quantized(std::move(graph), {}, data));
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  EXPECT_LT((RunGraph(*qdq, data) - 100).abs().max().item<float>(), 1e-3);
}

TEST(ToQdqExactTest, UncalibratedAndNotFiniteAreRefused) {
  Graph graph = BuildSmallNet(1);
  InsertFakeQuant(graph, Annotate(graph, {}, {}).value());
  const auto early = ToQdq(graph);
  EXPECT_EQ(early.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(early.status().message()), HasSubstr("calibrate"));
  RunGraph(graph, at::randn({1, 3, 8, 8}), RunPhase::kCalibrate);
  graph.FindValue("input.scale")->tensor().fill_(std::numeric_limits<float>::infinity());
  EXPECT_THAT(std::string(ToQdq(graph).status().message()), HasSubstr("'input' is not finite"));
}

TEST(ToQdqExactTest, PactWithAlphaBelowZeroExportsNothingButZeros) {
  for (const int bits : {4, 8}) {
    QuantConfig config;
    config.weight_preprocess_type = config.activation_preprocess_type = "PACT";
    config.weight_bits = config.activation_bits = bits;
    const at::Tensor data = at::randn({4, 3, 8, 8});
    Graph trained = Quantized(BuildSmallNet(16), config, data);
    for (Value* alpha : PactAlphas(trained)) alpha->tensor().fill_(-0.5);
    const auto qdq = ToQdq(trained);
    ASSERT_TRUE(qdq.ok()) << qdq.status();
    const auto executor = Executor::Create(*qdq).value();
    const auto check = [](const Node& node, absl::Span<const at::Tensor>,
                          absl::Span<const at::Tensor> outputs) {
      const bool bias = node.op() == "DequantizeLinear" && node.input(0)->is_initializer() &&
                        node.input(0)->tensor().scalar_type() == at::kInt;
      if (node.op() == "DequantizeLinear" && !bias) {
        EXPECT_EQ(outputs[0].abs().max().item<float>(), 0.0f) << node.name();
      }
      return absl::OkStatus();
    };
    ASSERT_TRUE(executor->Run({data}, {.phase = RunPhase::kEvaluate}, check).ok());
    EXPECT_TRUE(at::allclose(RunGraph(*qdq, data), RunGraph(trained, data), 1e-4, 1e-5));
  }
}

TEST(ToQdqExactTest, LayersLeftInFloatStayFloatAndAreFolded) {
  QuantConfig config;
  config.not_quant_pattern = {"depthwise", "head"};
  const at::Tensor data = at::randn({4, 3, 8, 8});
  const Graph trained = Quantized(BuildSmallNet(13), config, data);
  const auto qdq = ToQdq(trained);
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  EXPECT_EQ(qdq->FindNode("depthwise")->input(1)->tensor().scalar_type(), at::kFloat);
  EXPECT_EQ(qdq->FindNode("depthwise.norm"), nullptr);
  EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)), 0.01);
}

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

TEST(TensorReportTest, OneEntryPerQuantizedInput) {
  QuantConfig config;
  config.weight_bits = 4;
  config.activation_preprocess_type = "PACT";
  const at::Tensor data = at::randn({4, 3, 8, 8});
  const Graph trained = Quantized(BuildSmallNet(15), config, data);
  const std::vector<TensorReport> reports = ReportTensors(trained);
  ASSERT_EQ(reports.size(), 8u);
  EXPECT_EQ(reports[0].layer, "stem");
  EXPECT_EQ(reports[0].value, "input");
  EXPECT_EQ(reports[0].quantizer, "PACT+moving_average_abs_max");
  EXPECT_NEAR(reports[0].scale_max, data.abs().max().item<double>() / 127, 1e-6);
  EXPECT_TRUE(reports[1].is_weight);
  EXPECT_TRUE(reports[1].per_channel);
  EXPECT_EQ(reports[1].bits, 4);
  EXPECT_LT(reports[1].scale_min, reports[1].scale_max);
  EXPECT_EQ(reports[1].fake_quant_node, "stem.weight.fake_quant");
}

}  // namespace
}  // namespace quantry::engine
