#include "worker/engine/import/import_onnx.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/worker/engine/import/onnx_model.h"
#include "worker/engine/evaluate/executor.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Graph ImportOrDie(const onnx::ModelProto& model) {
  auto graph = ImportOnnx(model.SerializeAsString());
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

std::string ErrorOf(const onnx::ModelProto& model) {
  const auto graph = ImportOnnx(model.SerializeAsString());
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(graph.status().message());
}

at::Tensor RunOne(const Graph& graph, const at::Tensor& x) {
  auto executor = Executor::Create(graph);
  EXPECT_TRUE(executor.ok()) << executor.status();
  auto outputs = (*executor)->Run({x}, EvaluateContext{});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs->at(0);
}

TEST(ImportOnnx, ReadsAndRunsASmallModel) {
  const Graph graph = ImportOrDie(LinearModel());
  EXPECT_EQ(graph.name, "small");
  EXPECT_EQ(graph.doc, "onnx opset 17, producer test ");
  ASSERT_EQ(graph.inputs().size(), 1u);
  EXPECT_EQ(graph.inputs()[0]->name(), "x");
  EXPECT_EQ(graph.inputs()[0]->type.shape->at(0), std::nullopt);
  EXPECT_EQ(graph.inputs()[0]->type.shape->at(1), 2);
  EXPECT_EQ(graph.outputs().at(0)->name(), "y");
  const at::Tensor y = RunOne(graph, at::tensor({1.f, -1.f}).reshape({1, 2}));
  EXPECT_TRUE(y.equal(at::tensor({0.f, 0.f, 0.f}).reshape({1, 3}))) << y;
  const at::Tensor z = RunOne(graph, at::tensor({1.f, 1.f}).reshape({1, 2}));
  EXPECT_TRUE(z.equal(at::tensor({4.f, 7.f, 10.f}).reshape({1, 3}))) << z;
}

TEST(ImportOnnx, AcceptsNodesInAnyOrder) {
  onnx::ModelProto model = LinearModel();
  model.mutable_graph()->mutable_node()->SwapElements(0, 1);
  const Graph graph = ImportOrDie(model);
  EXPECT_EQ(graph.nodes().size(), 2u);
}

TEST(ImportOnnx, InitializersListedAsInputsAreNotInputs) {
  onnx::ModelProto model = LinearModel();
  SetPort(*model.mutable_graph()->add_input(), "w", {3, 2});
  EXPECT_EQ(ImportOrDie(model).inputs().size(), 1u);
}

TEST(ImportOnnx, ConstantNodesBecomeInitializers) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  onnx::NodeProto* bound = AddOnnxNode(graph, "Constant", "c", {}, {"low"});
  AddFloat(*bound, "value_float", 0.5f);
  AddOnnxNode(graph, "Clip", "clip", {"x", "low"}, {"y"});
  const Graph read = ImportOrDie(model);
  ASSERT_NE(read.FindValue("low"), nullptr);
  EXPECT_TRUE(read.FindValue("low")->is_initializer());
  EXPECT_EQ(read.nodes().size(), 1u);
  EXPECT_FLOAT_EQ(RunOne(read, at::zeros({1, 2})).max().item<float>(), 0.5f);
}

onnx::ModelProto BatchNormModel(int64_t opset) {
  onnx::ModelProto model = EmptyModel(opset);
  onnx::GraphProto& graph = *model.mutable_graph();
  for (const char* name : {"gamma", "beta", "mean", "var"}) {
    *graph.add_initializer() = FloatTensor(name, {2}, {1, 1});
  }
  AddOnnxNode(graph, "BatchNormalization", "bn", {"x", "gamma", "beta", "mean", "var"},
              opset < 14 ? std::vector<std::string>{"y", "m", "v", "sm", "sv"}
                         : std::vector<std::string>{"y", "m", "v"});
  return model;
}

TEST(ImportOnnx, GivesRolesAndDropsTrainingOutputs) {
  for (const int64_t opset : {9, 13, 14, 17}) {
    SCOPED_TRACE(opset);
    onnx::ModelProto model = BatchNormModel(opset);
    if (opset >= 14) AddInt(*model.mutable_graph()->mutable_node(0), "training_mode", 1);
    const Graph graph = ImportOrDie(model);
    ASSERT_NE(graph.FindNode("bn"), nullptr);
    EXPECT_EQ(graph.FindNode("bn")->outputs().size(), 1u);
    EXPECT_FALSE(graph.FindNode("bn")->HasAttribute("training_mode"));
    EXPECT_EQ(graph.FindValue("gamma")->role(), InitializerRole::kParameter);
    EXPECT_EQ(graph.FindValue("beta")->role(), InitializerRole::kParameter);
    EXPECT_EQ(graph.FindValue("mean")->role(), InitializerRole::kBuffer);
    EXPECT_EQ(graph.FindValue("var")->role(), InitializerRole::kBuffer);
    EXPECT_EQ(graph.ParameterCount(), 4);
  }
}

TEST(ImportOnnx, SeparatesWhatTheExporterMerged) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = FloatTensor("ones", {2}, {1, 1});
  *graph.add_initializer() = FloatTensor("zeros", {2}, {0, 0});
  AddOnnxNode(graph, "Identity", "i", {"ones"}, {"gamma"});
  AddOnnxNode(graph, "BatchNormalization", "bn1", {"x", "gamma", "zeros", "zeros", "ones"}, {"h"});
  AddOnnxNode(graph, "BatchNormalization", "bn2", {"h", "gamma", "zeros", "zeros", "ones"}, {"y"});
  const Graph read = ImportOrDie(model);
  EXPECT_EQ(read.initializers(InitializerRole::kBuffer).size(), 4u);
  for (const Value* buffer : read.initializers(InitializerRole::kBuffer)) {
    EXPECT_EQ(buffer->uses().size(), 1u) << buffer->name();
  }
  // gamma is shared by both nodes as the file says; it is no longer the tensor of a variance.
  ASSERT_NE(read.FindValue("gamma"), nullptr);
  EXPECT_EQ(read.FindValue("gamma")->uses().size(), 2u);
  EXPECT_EQ(read.FindValue("gamma")->role(), InitializerRole::kParameter);
  for (const Value* buffer : read.initializers(InitializerRole::kBuffer)) {
    EXPECT_NE(buffer->tensor().data_ptr(), read.FindValue("gamma")->tensor().data_ptr());
  }
}

TEST(ImportOnnx, BiasAddedToMatMulIsTrained) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = FloatTensor("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  *graph.add_initializer() = FloatTensor("b", {3}, {1, 0, -1});
  AddOnnxNode(graph, "MatMul", "mm", {"x", "w"}, {"h"});
  AddOnnxNode(graph, "Add", "bias", {"b", "h"}, {"y"});
  EXPECT_EQ(ImportOrDie(model).ParameterCount(), 9);
}

// ATen has no type of four bits: what the zero point is must not be lost.
TEST(ImportOnnx, QuantizesToTheFourBitsOfTheZeroPoint) {
  for (const bool node : {false, true}) {
    onnx::ModelProto model = EmptyModel(21);
    onnx::GraphProto& graph = *model.mutable_graph();
    *graph.add_initializer() = FloatTensor("s", {}, {0.5f});
    onnx::TensorProto* zero = nullptr;
    if (node) {
      onnx::AttributeProto* value = AddOnnxNode(graph, "Constant", "c", {}, {"z"})->add_attribute();
      value->set_name("value");
      value->set_type(onnx::AttributeProto::TENSOR);
      zero = value->mutable_t();
    } else {
      zero = graph.add_initializer();
    }
    zero->set_name("z");
    zero->set_data_type(22);
    zero->set_raw_data("\x01");
    AddOnnxNode(graph, "QuantizeLinear", "q", {"x", "s", "z"}, {"h"});
    AddOnnxNode(graph, "DequantizeLinear", "d", {"h", "s", "z"}, {"y"});
    const at::Tensor y = RunOne(ImportOrDie(model), at::tensor({100.f, -100.f}).reshape({1, 2}));
    EXPECT_TRUE(y.equal(at::tensor({3.0f, -4.5f}).reshape({1, 2}))) << y;
  }
}

TEST(ImportOnnx, NamesTheNodeOfAnUnknownOperator) {
  onnx::ModelProto model = LinearModel();
  model.mutable_graph()->mutable_node(1)->set_op_type("Frobnicate");
  EXPECT_THAT(ErrorOf(model), AllOf(HasSubstr("act"), HasSubstr("Frobnicate")));
  model.mutable_graph()->mutable_node(1)->set_op_type("Relu");
  model.mutable_graph()->mutable_node(1)->set_domain("com.example");
  EXPECT_THAT(ErrorOf(model), AllOf(HasSubstr("act"), HasSubstr("com.example.Relu")));
}

TEST(ImportOnnx, RefusesBrokenGraphs) {
  onnx::ModelProto cycle = LinearModel();
  cycle.mutable_graph()->mutable_node(0)->set_input(0, "y");
  EXPECT_THAT(ErrorOf(cycle), AllOf(HasSubstr("'fc'"), HasSubstr("cycle")));

  onnx::ModelProto missing = LinearModel();
  missing.mutable_graph()->mutable_node(0)->set_input(1, "nowhere");
  EXPECT_THAT(ErrorOf(missing), AllOf(HasSubstr("'fc'"), HasSubstr("'nowhere'")));

  onnx::ModelProto twice = LinearModel();
  AddOnnxNode(*twice.mutable_graph(), "Relu", "again", {"x"}, {"h"});
  EXPECT_THAT(ErrorOf(twice), AllOf(HasSubstr("'h'"), HasSubstr("twice")));

  onnx::ModelProto initializer = LinearModel();
  *initializer.mutable_graph()->add_initializer() = FloatTensor("w", {1}, {1});
  EXPECT_THAT(ErrorOf(initializer), AllOf(HasSubstr("'w'"), HasSubstr("twice")));

  onnx::ModelProto output = LinearModel();
  output.mutable_graph()->mutable_output(0)->set_name("z");
  EXPECT_THAT(ErrorOf(output), HasSubstr("'z'"));

  onnx::ModelProto none = LinearModel();
  none.mutable_graph()->clear_output();
  EXPECT_THAT(ErrorOf(none), HasSubstr("no output"));

  onnx::ModelProto name = LinearModel();
  name.mutable_graph()->mutable_node(0)->set_name("f\xff\n");
  EXPECT_THAT(ErrorOf(name), AllOf(HasSubstr("UTF-8"), HasSubstr("f\\xff\\n")));
}

TEST(ImportOnnx, RefusesControlFlow) {
  onnx::ModelProto model = LinearModel();
  onnx::AttributeProto* body = model.mutable_graph()->mutable_node(1)->add_attribute();
  body->set_name("then_branch");
  body->set_type(onnx::AttributeProto::GRAPH);
  body->mutable_g()->set_name("inner");
  EXPECT_THAT(ErrorOf(model),
              AllOf(HasSubstr("'act'"), HasSubstr("then_branch"), HasSubstr("sub-graph")));
}

TEST(ImportOnnx, RefusesOpsetsOutsideTheRange) {
  EXPECT_THAT(ErrorOf(LinearModel(6)), HasSubstr("opset 6"));
  EXPECT_THAT(ErrorOf(LinearModel(99)), HasSubstr("opset 99"));
}

TEST(ImportOnnx, RefusesExternalDataWithoutAFolder) {
  onnx::ModelProto model = LinearModel();
  model.mutable_graph()->mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_THAT(ErrorOf(model), AllOf(HasSubstr("'w'"), HasSubstr("external data")));
}

TEST(ImportOnnx, RefusesEveryTruncation) {
  const std::string whole = LinearModel().SerializeAsString();
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto graph = ImportOnnx(absl::string_view(whole).substr(0, size));
    EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(ImportOnnx, RandomBytesAreRefused) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::string bytes(random() % 4096, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_EQ(ImportOnnx(bytes).status().code(), absl::StatusCode::kInvalidArgument)
        << "seed " << seed;
  }
}

// Whatever a damaged file holds, the answer is a graph or INVALID_ARGUMENT.
TEST(ImportOnnx, DamagedBytesNeverCrash) {
  for (const onnx::ModelProto& model : {LinearModel(), BatchNormModel(13)}) {
    const std::string whole = model.SerializeAsString();
    for (uint32_t seed = 0; seed < 500; ++seed) {
      std::mt19937 random(seed);
      std::string bytes = whole;
      for (uint32_t i = 0; i < 1 + seed % 3; ++i) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      const auto graph = ImportOnnx(bytes);
      if (graph.ok()) continue;
      EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument)
          << "seed " << seed << ": " << graph.status();
    }
  }
}

TEST(ImportOnnx, NamesTheFile) {
  const auto graph = ImportOnnxFile("/nowhere/model.onnx");
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(graph.status().message(), HasSubstr("/nowhere/model.onnx"));
}

}  // namespace
}  // namespace quantry::engine
