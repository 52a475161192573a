// If, Loop and Scan whose course is known when the file is read; and those whose is not.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/worker/engine/import/onnx_model.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/import/import_onnx.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kEndless = std::numeric_limits<int64_t>::max();

onnx::TensorProto Number(const std::string& name, int64_t value, bool flag = false) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(flag ? onnx::TensorProto::BOOL : onnx::TensorProto::INT64);
  if (flag) {
    tensor.add_int32_data(static_cast<int32_t>(value));
  } else {
    tensor.add_int64_data(value);
  }
  return tensor;
}

onnx::GraphProto* AddGraph(onnx::NodeProto* node, const std::string& name) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::GRAPH);
  attribute->mutable_g()->set_name(name);
  return attribute->mutable_g();
}

void AddPorts(onnx::GraphProto* graph, const std::vector<std::string>& inputs,
              const std::vector<std::string>& outputs) {
  for (const std::string& input : inputs) graph->add_input()->set_name(input);
  for (const std::string& output : outputs) graph->add_output()->set_name(output);
}

// x [batch, 2] -> y.
onnx::ModelProto Model(int64_t opset = 17) {
  onnx::ModelProto model = EmptyModel(opset);
  model.mutable_graph()->mutable_output(0)->clear_type();
  return model;
}

at::Tensor RunModel(const onnx::ModelProto& model, const at::Tensor& x) {
  const auto graph = ImportOnnx(model.SerializeAsString());
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  const auto executor = Executor::Create(*graph);
  EXPECT_TRUE(executor.ok()) << executor.status();
  const auto outputs = (*executor)->Run({x}, {});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? outputs->at(0) : at::Tensor();
}

std::string ErrorOf(const onnx::ModelProto& model) {
  const auto graph = ImportOnnx(model.SerializeAsString());
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(graph.status().message());
}

// y = condition ? relu(x) : -x.
void AddIf(onnx::GraphProto& graph, const std::string& condition, const std::string& output) {
  onnx::NodeProto* node = AddOnnxNode(graph, "If", "choice", {condition}, {output});
  onnx::GraphProto* yes = AddGraph(node, "then_branch");
  AddOnnxNode(*yes, "Relu", "", {"x"}, {"inner"});
  AddPorts(yes, {}, {"inner"});
  onnx::GraphProto* no = AddGraph(node, "else_branch");
  AddOnnxNode(*no, "Neg", "", {"x"}, {"inner"});
  AddPorts(no, {}, {"inner"});
}

const at::Tensor& X() {
  static const at::Tensor kX = at::tensor({1.f, -2.f}).reshape({1, 2});
  return kX;
}

TEST(ControlFlow, IfOfAConstantIsItsBranch) {
  for (const bool condition : {true, false}) {
    onnx::ModelProto model = Model();
    *model.mutable_graph()->add_initializer() = Number("c", condition, /*flag=*/true);
    AddIf(*model.mutable_graph(), "c", "y");
    EXPECT_TRUE(RunModel(model, X()).equal(condition ? at::relu(X()) : -X()));
  }
}

// As PyTorch exports squeeze: the branch depends on the size of an axis.
TEST(ControlFlow, IfOfADeclaredSizeIsItsBranch) {
  onnx::ModelProto model = Model();
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = Number("one", 1);
  *graph.add_initializer() = Number("two", 2);
  AddOnnxNode(graph, "Shape", "", {"x"}, {"s"});
  AddOnnxNode(graph, "Gather", "", {"s", "one"}, {"width"});
  AddOnnxNode(graph, "Equal", "", {"width", "two"}, {"c"});
  AddIf(graph, "c", "y");
  EXPECT_TRUE(RunModel(model, X()).equal(at::relu(X())));
  graph.mutable_node(1)->set_input(1, "zero");  // the batch, which is open
  *graph.add_initializer() = Number("zero", 0);
  EXPECT_THAT(ErrorOf(model), AllOf(HasSubstr("'choice' (If)"), HasSubstr("condition 'c'"),
                                    HasSubstr("depends on data")));
}

TEST(ControlFlow, IfOfDataIsRefused) {
  onnx::ModelProto model = Model();
  onnx::GraphProto& graph = *model.mutable_graph();
  AddOnnxNode(graph, "Cast", "", {"x"}, {"c"});
  AddInt(*graph.mutable_node(0), "to", onnx::TensorProto::BOOL);
  AddIf(graph, "c", "y");
  EXPECT_THAT(ErrorOf(model), HasSubstr("depends on data"));
}

// Each branch reads the outer scope, and one condition is made by the other If.
TEST(ControlFlow, IfsMayFollowAndNest) {
  onnx::ModelProto model = Model();
  onnx::GraphProto& graph = *model.mutable_graph();
  *graph.add_initializer() = Number("yes", 1, /*flag=*/true);
  // The second stands first in the file.
  AddIf(graph, "second", "y");
  onnx::NodeProto* outer = AddOnnxNode(graph, "If", "outer", {"yes"}, {"second"});
  onnx::GraphProto* then_branch = AddGraph(outer, "then_branch");
  onnx::NodeProto* nested = AddOnnxNode(*then_branch, "If", "nested", {"yes"}, {"value"});
  for (const char* name : {"then_branch", "else_branch"}) {
    onnx::GraphProto* branch = AddGraph(nested, name);
    AddOnnxNode(*branch, "Not", "", {"yes"}, {"value2"});
    AddPorts(branch, {}, {"value2"});
  }
  AddPorts(then_branch, {}, {"value"});
  AddPorts(AddGraph(outer, "else_branch"), {}, {"yes"});
  EXPECT_TRUE(RunModel(model, X()).equal(-X()));
}

// y = x + 0 + 1 + ... + (count - 1); z stacks the partial sums.
onnx::ModelProto LoopModel(int64_t count, int64_t opset, const std::string& condition_after) {
  onnx::ModelProto model = Model(opset);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.mutable_output(0)->set_name("z");
  *graph.add_initializer() = Number("count", count);
  *graph.add_initializer() = Number("three", 3);
  onnx::NodeProto* loop = AddOnnxNode(graph, "Loop", "loop", {"count", "", "x"}, {"y", "z"});
  onnx::GraphProto* body = AddGraph(loop, "body");
  AddOnnxNode(*body, "Cast", "", {"i"}, {"number"});
  AddInt(*body->mutable_node(0), "to", onnx::TensorProto::FLOAT);
  AddOnnxNode(*body, "Add", "", {"v", "number"}, {"sum"});
  AddOnnxNode(*body, "Identity", "", {"go"}, {"handed_on"});
  AddOnnxNode(*body, "Less", "", {"i", "three"}, {"computed"});
  AddOnnxNode(*body, "Cast", "", {"v"}, {"data"});
  AddInt(*body->mutable_node(4), "to", onnx::TensorProto::BOOL);
  AddOnnxNode(*body, "Identity", "", {"sum"}, {"partial"});
  AddPorts(body, {"i", "go", "v"}, {condition_after, "sum", "partial"});
  return model;
}

TEST(ControlFlow, LoopIsUnrolled) {
  for (const int64_t opset : {11, 17}) {
    const at::Tensor z = RunModel(LoopModel(4, opset, "handed_on"), X());
    EXPECT_TRUE(z.equal(at::stack({X(), X() + 1, X() + 3, X() + 6}))) << z;
  }
  // Ends by its condition, which is false after the iteration of i = 3.
  const at::Tensor z = RunModel(LoopModel(kEndless, 17, "computed"), X());
  EXPECT_TRUE(z.equal(at::stack({X(), X() + 1, X() + 3, X() + 6}))) << z;
}

TEST(ControlFlow, LoopThatDependsOnDataOrIsTooLongIsRefused) {
  EXPECT_THAT(ErrorOf(LoopModel(4, 17, "data")),
              AllOf(HasSubstr("'loop' (Loop)"), HasSubstr("goes on"), HasSubstr("data")));
  EXPECT_THAT(ErrorOf(LoopModel(kEndless, 17, "handed_on")), HasSubstr("more than 4096 times"));
  EXPECT_THAT(ErrorOf(LoopModel(0, 17, "handed_on")), HasSubstr("never runs"));
  onnx::ModelProto open = LoopModel(4, 17, "handed_on");
  AddOnnxNode(*open.mutable_graph(), "Size", "", {"x"}, {"size"});
  open.mutable_graph()->mutable_node(0)->set_input(0, "size");
  EXPECT_THAT(ErrorOf(open), HasSubstr("number of iterations 'size'"));
}

// 4000 iterations of 4000 iterations: 16 million nodes.
TEST(ControlFlow, NestedLoopsAreLimited) {
  onnx::ModelProto model = LoopModel(4000, 17, "handed_on");
  const onnx::NodeProto inner = model.graph().node(0);
  onnx::GraphProto* body =
      model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  onnx::NodeProto* nested = body->add_node();
  *nested = inner;
  nested->set_output(0, "y2");
  nested->set_output(1, "z2");
  EXPECT_THAT(ErrorOf(model), HasSubstr("50000 nodes"));
}

TEST(ControlFlow, ScanIsUnrolled) {
  for (const bool backward : {false, true}) {
    onnx::ModelProto model = EmptyModel();
    onnx::GraphProto& graph = *model.mutable_graph();
    SetPort(*graph.mutable_input(0), "x", {3, 2});
    graph.mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim()
        ->DeleteSubrange(0, 2);
    graph.mutable_output(0)->clear_type();
    *graph.add_initializer() = FloatTensor("zero", {2}, {0, 0});
    onnx::NodeProto* scan = AddOnnxNode(graph, "Scan", "scan", {"zero", "x"}, {"total", "y"});
    AddInt(*scan, "num_scan_inputs", 1);
    if (backward) AddInts(*scan, "scan_input_directions", {1});
    if (backward) AddInts(*scan, "scan_output_directions", {1});
    onnx::GraphProto* body = AddGraph(scan, "body");
    AddOnnxNode(*body, "Add", "", {"sum", "row"}, {"next"});
    AddOnnxNode(*body, "Identity", "", {"next"}, {"partial"});
    AddPorts(body, {"sum", "row"}, {"next", "partial"});
    const at::Tensor x = at::tensor({1.f, 2.f, 3.f, 4.f, 5.f, 6.f}).reshape({3, 2});
    const at::Tensor expected = backward ? x.flip(0).cumsum(0).flip(0) : x.cumsum(0);
    EXPECT_TRUE(RunModel(model, x).equal(expected));
    graph.mutable_node(0)->mutable_attribute(0)->set_i(5);
    EXPECT_THAT(ErrorOf(model), HasSubstr("'num_scan_inputs' is 5"));
  }
}

TEST(ControlFlow, BrokenSubGraphsAreRefused) {
  onnx::ModelProto model = Model();
  *model.mutable_graph()->add_initializer() = Number("c", 1, /*flag=*/true);
  AddIf(*model.mutable_graph(), "c", "y");
  onnx::ModelProto none = model;
  none.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_name("other");
  EXPECT_THAT(ErrorOf(none), HasSubstr("no sub-graph 'then_branch'"));
  onnx::ModelProto outputs = model;
  outputs.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g()->clear_output();
  EXPECT_THAT(ErrorOf(outputs), HasSubstr("0 outputs"));
  onnx::ModelProto inputs = model;
  inputs.mutable_graph()->mutable_node(0)->clear_input();
  EXPECT_THAT(ErrorOf(inputs), HasSubstr("one input"));
}

// Deeper than the parser goes: an error, not an overflow of the stack.
TEST(ControlFlow, DeepNestingIsRefused) {
  onnx::GraphProto graph;
  AddPorts(&graph, {}, {"x"});
  for (int depth = 0; depth < 200; ++depth) {
    onnx::GraphProto outer;
    onnx::NodeProto* node = AddOnnxNode(outer, "If", "", {"c"}, {"y"});
    for (const char* name : {"then_branch"}) *AddGraph(node, name) = graph;
    AddPorts(&outer, {}, {"y"});
    graph = outer;
  }
  onnx::ModelProto model = Model();
  *model.mutable_graph()->add_node() = graph.node(0);
  EXPECT_THAT(ErrorOf(model), HasSubstr("not an ONNX file, or one that is cut off or damaged"));
}

}  // namespace
}  // namespace quantry::engine
