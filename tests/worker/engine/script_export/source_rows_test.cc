// Every row of the tables: a graph of one node computes the same in TorchScript.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/worker/engine/script_export/run_script.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/script_export/source_table.h"
#include "worker/engine/script_export/write_script.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;
using Ints = std::vector<int64_t>;

at::Tensor Longs(const Ints& values) { return at::tensor(values, at::kLong); }

at::Tensor Scalar(float value) { return at::full({}, value); }

// x comes from outside; the others are initializers, undefined ones are left out.
struct Case {
  std::string op;
  AttributeMap attributes;
  std::vector<at::Tensor> others;
  Ints x = {2, 4, 6, 6};
  size_t outputs = 1;
  bool positive = false;  // x is drawn from (0.1, 1.1)
};

std::vector<Case> Cases() {
  at::manual_seed(3);
  const auto rand = [](Ints sizes) { return at::rand(sizes) + 0.2; };
  const auto randn = [](Ints sizes) { return at::randn(sizes); };
  const Ints k3 = {3, 3};
  std::vector<Case> cases = {
      {"Conv", {{"pads", Ints{1, 1, 1, 1}}}, {randn({5, 4, 3, 3}), randn({5})}},
      {"Conv", {{"pads", Ints{0, 0, 1, 1}}, {"strides", Ints{2, 2}}}, {randn({5, 4, 3, 3})}},
      {"Conv", {{"group", int64_t{2}}, {"dilations", Ints{2}}}, {randn({6, 2, 3})}, {2, 4, 9}},
      {"Conv", {{"auto_pad", std::string("VALID")}}, {randn({3, 4, 2, 2, 2})}, {1, 4, 5, 5, 5}},
      {"ConvTranspose",
       {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 1}}},
       {randn({4, 3, 3, 3}), randn({3})}},
      {"Gemm", {{"transB", int64_t{1}}}, {randn({5, 7}), randn({5})}, {3, 7}},
      {"Gemm", {{"alpha", 0.5f}, {"beta", 2.0f}}, {randn({7, 5}), randn({5})}, {3, 7}},
      {"Gemm", {{"transA", int64_t{1}}}, {randn({3, 5})}, {3, 7}},
      {"BatchNormalization", {{"epsilon", 1e-3f}}, {randn({4}), randn({4}), randn({4}), rand({4})}},
      {"LayerNormalization", {}, {randn({6}), randn({6})}},
      {"LayerNormalization", {{"axis", int64_t{-2}}}, {randn({6, 6})}},
      {"InstanceNormalization", {}, {randn({4}), randn({4})}},
      {"MaxPool", {{"kernel_shape", k3}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}},
      {"MaxPool", {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{0, 0, 1, 1}}}},
      {"MaxPool", {{"kernel_shape", Ints{2}}, {"ceil_mode", int64_t{1}}}, {}, {2, 4, 7}},
      {"AveragePool", {{"kernel_shape", k3}, {"pads", Ints{1, 1, 1, 1}}}},
      {"AveragePool",
       {{"kernel_shape", Ints{2, 2}},
        {"pads", Ints{0, 0, 1, 1}},
        {"count_include_pad", int64_t{1}}}},
      {"GlobalAveragePool", {}},
      {"GlobalAveragePool", {}, {}, {2, 4, 5}},
      {"GlobalMaxPool", {}},
      {"Flatten", {}},
      {"Flatten", {{"axis", int64_t{0}}}},
      {"Flatten", {{"axis", int64_t{2}}}},
      {"Flatten", {{"axis", int64_t{-1}}}},
      {"Reshape", {}, {Longs({0, 2, -1})}},
      {"Transpose", {{"perm", Ints{0, 2, 3, 1}}}},
      {"Transpose", {}},
      {"Squeeze", {}, {Longs({1, 3})}, {2, 1, 3, 1}},
      {"Squeeze", {}, {Longs({-1, -3})}, {2, 1, 3, 1}},
      {"Squeeze", {}, {}, {2, 1, 3, 1}},
      {"Unsqueeze", {}, {Longs({0, 3})}, {2, 5}},
      {"Unsqueeze", {}, {Longs({-1, -3})}, {2, 5}},
      {"Concat", {{"axis", int64_t{1}}}, {randn({2, 3, 6, 6})}},
      {"Split", {{"axis", int64_t{1}}}, {Longs({1, 3})}, {2, 4, 3}, 2},
      {"Split", {{"axis", int64_t{1}}}, {}, {2, 4, 3}, 2},
      {"Slice", {}, {Longs({1, 0}), Longs({4, 1000}), Longs({3, 1}), Longs({2, 1})}},
      {"Slice", {}, {Longs({-3}), Longs({-1}), Longs({-1})}},
      {"Gather", {{"axis", int64_t{1}}}, {Longs({2, 0, 2})}},
      {"Gather", {{"axis", int64_t{1}}}, {at::full({}, -1, at::kLong)}},
      {"Pad", {}, {Longs({0, 1, 2, 0, 0, 0, 1, 3}), Scalar(0.5f)}},
      {"ReduceMean", {}, {Longs({2, 3})}},
      {"ReduceMean", {{"keepdims", int64_t{0}}}},
      {"ReduceSum", {{"keepdims", int64_t{0}}}, {Longs({-1})}},
      {"ReduceMax", {}, {Longs({1})}},
      {"ReduceMin", {}, {Longs({1})}},
      {"Resize",
       {{"mode", std::string("nearest")},
        {"coordinate_transformation_mode", std::string("asymmetric")},
        {"nearest_mode", std::string("floor")}},
       {{}, at::tensor({1.0f, 1.0f, 2.0f, 2.0f})}},
      {"Resize", {{"mode", std::string("linear")}}, {{}, at::tensor({1.0f, 1.0f, 2.0f, 2.0f})}},
      {"Resize",
       {{"mode", std::string("linear")},
        {"coordinate_transformation_mode", std::string("align_corners")}},
       {{}, at::tensor({1.0f, 1.0f, 2.0f, 2.0f})}},
      {"Clip", {}, {Scalar(-0.5f), Scalar(0.75f)}},
      {"Clip", {}, {{}, Scalar(0.75f)}},
      {"Clip", {}},
      {"HardSigmoid", {}},
      {"HardSigmoid", {{"alpha", 1.0f / 6.0f}}},
      {"LeakyRelu", {{"alpha", 0.2f}}},
      {"Elu", {{"alpha", 0.7f}}},
      {"PRelu", {}, {rand({4, 1, 1})}},
      {"Where", {}, {}},  // below
      {"Pow", {}, {Scalar(1.5f)}, {2, 3}, 1, true},
      {"Log", {}, {}, {2, 3}, 1, true},
      {"Sqrt", {}, {}, {2, 3}, 1, true},
      {"MatMul", {}, {randn({6, 3})}},
      {"Softmax", {{"axis", int64_t{1}}}},
      {"LogSoftmax", {}},
  };
  std::erase_if(cases, [](const Case& one) { return one.op == "Where"; });
  for (const char* op :
       {"Abs",   "Ceil",      "Cos",      "Dropout", "Erf",      "Exp",        "Floor",
        "Gelu",  "HardSwish", "Identity", "Mish",    "Neg",      "Reciprocal", "Relu",
        "Round", "Sigmoid",   "Sign",     "Sin",     "Softplus", "Tanh"}) {
    cases.push_back({op, {}});
  }
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Sum"}) {
    cases.push_back({op, {}, {rand({4, 1, 1})}});
  }
  return cases;
}

Graph GraphOf(const Case& one) {
  Graph graph;
  std::vector<Value*> inputs = {graph.AddInput("x", {.dtype = at::kFloat})};
  for (const at::Tensor& other : one.others) {
    inputs.push_back(other.defined()
                         ? graph.AddInitializer("other.tensor", other, InitializerRole::kConstant)
                         : nullptr);
  }
  const Node* node = graph.AddNode(one.op, "the.node", inputs, one.attributes,
                                   std::vector<std::string>(one.outputs));
  for (Value* output : node->outputs()) graph.AddOutput(output);
  return graph;
}

void ExpectSame(const Graph& graph, const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  const auto executor = Executor::Create(graph);
  ASSERT_TRUE(executor.ok()) << executor.status();
  const auto expected = (*executor)->Run(inputs, {.phase = RunPhase::kEvaluate});
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto archive = WriteScript(graph);
  ASSERT_TRUE(archive.ok()) << archive.status();
  const std::vector<at::Tensor> actual = RunScript(*archive, inputs);
  ASSERT_EQ(actual.size(), expected->size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(actual[i].sizes(), expected->at(i).sizes());
    EXPECT_TRUE(at::allclose(actual[i], expected->at(i), 1e-5, 1e-6));
  }
}

TEST(SourceRowsTest, EveryRowComputesWhatTheEngineComputes) {
  std::set<std::string> seen = {"Where"};  // its condition is no float: tested below
  for (const Case& one : Cases()) {
    SCOPED_TRACE(one.op);
    seen.insert(one.op);
    const at::Tensor x = one.positive ? at::rand(one.x) + 0.1 : at::randn(one.x);
    ExpectSame(GraphOf(one), {x});
  }
  for (const SourceRow* row : AllSourceRows()) {
    EXPECT_TRUE(seen.contains(std::string(row->op))) << row->op << " has no case";
  }
}

TEST(SourceRowsTest, SeveralInputsAndOutputs) {
  Graph graph;
  Value* condition = graph.AddInput("condition", {.dtype = at::kBool});
  Value* a = graph.AddInput("a", {.dtype = at::kFloat});
  Value* b = graph.AddInput("b", {.dtype = at::kFloat});
  graph.AddOutput(graph.AddNode("Where", "where", {condition, a, b})->output());
  graph.AddOutput(graph.AddNode("Add", "add", {a, b})->output());
  const at::Tensor x = at::randn({2, 3});
  ExpectSame(graph, {x > 0, x, at::randn({2, 3})});
}

TEST(SourceRowsTest, WhatCantBeWrittenIsNamed) {
  const auto message = [](const Case& one) {
    const absl::Status status = WriteScript(GraphOf(one)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    return std::string(status.message());
  };
  EXPECT_THAT(message({"Det", {}}), HasSubstr("node 'the.node' (Det)"));
  EXPECT_THAT(
      message({"Conv", {{"auto_pad", std::string("SAME_UPPER")}}, {at::rand({3, 4, 3, 3})}}),
      HasSubstr("'auto_pad' is SAME_UPPER"));
  EXPECT_THAT(
      message({"Pad", {{"mode", std::string("reflect")}}, {Longs({0, 0, 1, 1, 0, 0, 1, 1})}}),
      HasSubstr("'mode' is reflect"));
  EXPECT_THAT(message({"Slice", {}, {Longs({-1}), Longs({-9}), Longs({1}), Longs({-1})}}),
              HasSubstr("steps below 1"));
  EXPECT_THAT(message({"MaxPool", {{"kernel_shape", Ints{2, 2}}}, {}, {1, 2, 4, 4}, 2}),
              HasSubstr("first output"));
}

TEST(SourceRowsTest, ComputedShapesAreNamed) {
  Graph graph;
  Value* x = graph.AddInput("x", {.dtype = at::kFloat});
  Value* shape = graph.AddInput("shape", {.dtype = at::kLong});
  graph.AddOutput(graph.AddNode("Reshape", "reshape", {x, shape})->output());
  EXPECT_THAT(std::string(WriteScript(graph).status().message()), HasSubstr("input 1 is computed"));
}

}  // namespace
}  // namespace quantry::engine
