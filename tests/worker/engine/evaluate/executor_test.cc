#include "worker/engine/evaluate/executor.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn.h>

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const EvaluateContext kEvaluation{.phase = RunPhase::kEvaluate};
const EvaluateContext kTraining{.phase = RunPhase::kTrain};

std::unique_ptr<Executor> ExecutorOf(const Graph& graph) {
  auto executor = Executor::Create(graph);
  EXPECT_TRUE(executor.ok()) << executor.status();
  return *std::move(executor);
}

at::Tensor RunOne(const Executor& executor, const at::Tensor& x,
                  const EvaluateContext& context = kEvaluation) {
  const auto outputs = executor.Run({x}, context);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? outputs->at(0) : at::Tensor();
}

TEST(ExecutorTest, RunsInDependencyOrder) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Node* late = graph.AddNode("Mul", "late", {nullptr, x});
  Node* early = graph.AddNode("Relu", "early", {x});
  graph.SetInput(late, 0, early->output());
  graph.AddOutput(late->output());
  const at::Tensor y = RunOne(*ExecutorOf(graph), at::tensor({-2.0f, 3.0f}));
  EXPECT_TRUE(at::equal(y, at::tensor({0.0f, 9.0f})));
}

TEST(ExecutorTest, InputsInitializersAndSharedValuesMayBeOutputs) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Value* w = graph.AddInitializer("w", at::ones({2}), InitializerRole::kParameter);
  Node* relu = graph.AddNode("Relu", "relu", {x});
  Node* sum = graph.AddNode("Add", "sum", {relu->output(), w});
  for (Value* output : {x, w, relu->output(), sum->output(), sum->output()}) {
    graph.AddOutput(output);
  }
  const auto outputs = ExecutorOf(graph)->Run({at::tensor({-1.0f, 1.0f})}, kEvaluation);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), 5);
  EXPECT_TRUE(at::equal((*outputs)[0], at::tensor({-1.0f, 1.0f})));
  EXPECT_TRUE(at::equal((*outputs)[1], at::ones({2})));
  EXPECT_TRUE(at::equal((*outputs)[2], at::tensor({0.0f, 1.0f})));
  EXPECT_TRUE(at::equal((*outputs)[4], at::tensor({1.0f, 2.0f})));
}

TEST(ExecutorTest, ValuesAreReleasedAfterTheirLastUse) {
  Graph graph;
  Value* value = graph.AddInput("x", {});
  for (const char* name : {"a", "b", "c", "d"}) {
    value = graph.AddNode("Sigmoid", name, {value})->output();
  }
  graph.AddOutput(value);
  std::map<std::string, c10::weak_intrusive_ptr<c10::TensorImpl>> made;
  std::map<std::string, std::set<std::string>> alive;  // node -> which outputs live while it runs
  const Executor::NodeHook look = [&](const Node& node, absl::Span<const at::Tensor>,
                                      absl::Span<const at::Tensor> outputs) {
    for (const auto& [name, pointer] : made) {
      if (!pointer.expired()) alive[node.name()].insert(name);
    }
    made.emplace(node.name(),
                 c10::weak_intrusive_ptr<c10::TensorImpl>(outputs[0].getIntrusivePtr()));
    return absl::OkStatus();
  };
  const at::NoGradGuard no_grad;
  ASSERT_TRUE(ExecutorOf(graph)->Run({at::ones({2})}, kEvaluation, look).ok());
  EXPECT_THAT(alive["b"], ElementsAre("a"));
  EXPECT_THAT(alive["c"], ElementsAre("b"));
  EXPECT_THAT(alive["d"], ElementsAre("c"));
}

TEST(ExecutorTest, AtenErrorsNameNodeOperatorAndShapes) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Value* w = graph.AddInitializer("w", at::ones({4, 5, 3, 3}), InitializerRole::kParameter);
  graph.AddOutput(graph.AddNode("Conv", "stem", {x, w})->output());
  const auto outputs = ExecutorOf(graph)->Run({at::ones({2, 3, 8, 8})}, kEvaluation);
  EXPECT_EQ(outputs.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(outputs.status().message()),
              AllOf(HasSubstr("node 'stem' (Conv) on float32[2,3,8,8], float32[4,5,3,3]: "),
                    HasSubstr("channels"), ::testing::Not(HasSubstr("frame #"))));
}

TEST(ExecutorTest, SplitSizesThatDontFitTheOutputsAreAnError) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Value* sizes = graph.AddInput("sizes", {.dtype = at::kLong});
  const Node* split =
      graph.AddNode("Split", "split", {x, sizes}, {{"axis", int64_t{0}}}, {"a", "b", "c"});
  for (size_t i = 0; i < 3; ++i) graph.AddOutput(split->output(i));
  const auto executor = ExecutorOf(graph);
  const auto run = [&](std::vector<int64_t> lengths) {
    return executor->Run({at::ones({4}), at::tensor(lengths)}, kEvaluation).status();
  };
  EXPECT_TRUE(run({1, 1, 2}).ok());
  const absl::Status status = run({2, 2});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'split' has 2 sizes; the node has 3 outputs"));
}

TEST(ExecutorTest, InputsMustBeComplete) {
  Graph graph;
  graph.AddOutput(graph.AddNode("Relu", "relu", {graph.AddInput("x", {})})->output());
  const auto executor = ExecutorOf(graph);
  EXPECT_THAT(std::string(executor->Run({}, kEvaluation).status().message()),
              HasSubstr("got 0 inputs; the model has 1"));
  EXPECT_THAT(std::string(executor->Run({at::Tensor()}, kEvaluation).status().message()),
              HasSubstr("input 'x' is missing"));
}

TEST(ExecutorTest, AKernelWithoutElementsIsRefused) {
  for (const char* op : {"Conv", "ConvTranspose"}) {
    Graph graph;
    Value* x = graph.AddInput("x", {});
    Value* w = graph.AddInitializer("w", at::ones({1, 1, 3, 0}), InitializerRole::kParameter);
    graph.AddOutput(graph.AddNode(op, "stem", {x, w})->output());
    const absl::Status status =
        ExecutorOf(graph)->Run({at::ones({2, 1, 7, 5})}, kEvaluation).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("a kernel of [3, 0] has no elements"));
  }
}

// A fused operator can't show what is computed in between.
TEST(ExecutorTest, HooksSeeTheNodesOfAFusedOperator) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Value* r = graph.AddInput("r", {});
  Node* sum = graph.AddNode("Add", "sum", {x, r});
  graph.AddOutput(graph.AddNode("Relu", "relu", {sum->output()})->output());
  const at::Tensor one = at::randn({2, 4, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor two = at::randn({2, 4, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto executor = ExecutorOf(graph);
  std::vector<std::string> seen;
  const auto look = [&](const Node& node, absl::Span<const at::Tensor>,
                        absl::Span<const at::Tensor>) {
    seen.push_back(node.name());
    return absl::OkStatus();
  };
  const auto looked = executor->Run({one, two}, kEvaluation, look);
  const auto fused = executor->Run({one, two}, kEvaluation);
  ASSERT_TRUE(looked.ok() && fused.ok());
  EXPECT_THAT(seen, ElementsAre("sum", "relu"));
  EXPECT_TRUE(at::equal(looked->at(0), fused->at(0)));
}

TEST(ExecutorTest, UnknownOperatorsAndCyclesAreRefused) {
  Graph unknown;
  unknown.AddOutput(unknown.AddNode("Reluu", "r", {unknown.AddInput("x", {})})->output());
  EXPECT_THAT(std::string(Executor::Create(unknown).status().message()),
              AllOf(HasSubstr("'Reluu'"), HasSubstr("'Relu'")));
  Graph cyclic;
  Node* node = cyclic.AddNode("Add", "a", {cyclic.AddInput("x", {}), nullptr});
  cyclic.SetInput(node, 1, node->output());
  cyclic.AddOutput(node->output());
  EXPECT_EQ(Executor::Create(cyclic).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ExecutorTest, HookSeesEveryNodeAndCanEndTheRun) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Node* a = graph.AddNode("Relu", "a", {x});
  graph.AddOutput(graph.AddNode("Add", "b", {a->output(), x})->output());
  std::vector<std::string> seen;
  const auto hook = [&seen](const Node& node, absl::Span<const at::Tensor> inputs,
                            absl::Span<const at::Tensor> outputs) {
    seen.push_back(absl::StrCat(node.name(), " ", inputs.size(), " ", outputs.size()));
    return seen.size() < 3 ? absl::OkStatus() : absl::CancelledError("enough");
  };
  const auto executor = ExecutorOf(graph);
  EXPECT_TRUE(executor->Run({at::ones({1})}, kEvaluation, hook).ok());
  EXPECT_THAT(seen, ElementsAre("a 1 1", "b 2 1"));
  EXPECT_EQ(executor->Run({at::ones({1})}, kEvaluation, hook).status().code(),
            absl::StatusCode::kCancelled);
}

// Conv -> BatchNormalization -> Relu, as one training step sees it.
TEST(ExecutorTest, TrainingStepGivesTorchsGradientsAndStatistics) {
  at::manual_seed(7);
  torch::nn::Conv2d conv(torch::nn::Conv2dOptions(3, 4, 3).padding(1).bias(false));
  torch::nn::BatchNorm2d norm(4);
  Graph graph;
  Value* x = graph.AddInput("x", {});
  const auto parameter = [&graph](const char* name, const at::Tensor& tensor) {
    return graph.AddInitializer(name, tensor.detach().clone().requires_grad_(true),
                                InitializerRole::kParameter);
  };
  Value* weight = parameter("weight", conv->weight);
  Value* gamma = parameter("gamma", norm->weight);
  Value* beta = parameter("beta", norm->bias);
  Value* mean = graph.AddInitializer("mean", at::zeros({4}), InitializerRole::kBuffer);
  Value* variance = graph.AddInitializer("variance", at::ones({4}), InitializerRole::kBuffer);
  Node* first =
      graph.AddNode("Conv", "conv", {x, weight}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  Node* second =
      graph.AddNode("BatchNormalization", "norm", {first->output(), gamma, beta, mean, variance});
  graph.AddOutput(graph.AddNode("Relu", "relu", {second->output()})->output());

  const at::Tensor pictures = torch::randn({5, 3, 6, 6});
  const auto executor = ExecutorOf(graph);
  const at::Tensor y = RunOne(*executor, pictures, kTraining);
  const at::Tensor wanted = torch::relu(norm->forward(conv->forward(pictures)));
  EXPECT_TRUE(at::equal(y, wanted));
  y.square().sum().backward();
  wanted.square().sum().backward();
  EXPECT_TRUE(at::equal(weight->tensor().grad(), conv->weight.grad()));
  EXPECT_TRUE(at::equal(gamma->tensor().grad(), norm->weight.grad()));
  EXPECT_TRUE(at::equal(mean->tensor(), norm->running_mean));
  EXPECT_TRUE(at::equal(variance->tensor(), norm->running_var));

  const at::NoGradGuard no_grad;
  weight->tensor().zero_();  // the executor reads the graph's own tensors
  beta->tensor().fill_(2.0);
  mean->tensor().zero_();
  EXPECT_TRUE(at::equal(RunOne(*executor, pictures), at::full({5, 4, 6, 6}, 2.0)));
}

// A node that falls back to the other layout costs two copies of its picture.
class LayoutTest : public testing::TestWithParam<absl::string_view> {};

TEST_P(LayoutTest, PicturesStayChannelsLast) {
  const auto graph = BuildZooModel(GetParam(), {.num_classes = 10, .width = 0.5, .image_size = 64});
  ASSERT_TRUE(graph.ok()) << graph.status();
  int pictures = 0;
  const auto check = [&pictures](const Node& node, absl::Span<const at::Tensor>,
                                 absl::Span<const at::Tensor> outputs) {
    const at::Tensor& y = outputs[0];
    if (y.dim() != 4) return absl::OkStatus();
    ++pictures;
    EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast)) << node.name();
    return absl::OkStatus();
  };
  const at::Tensor x = at::ones({2, 3, 64, 64}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto executor = ExecutorOf(*graph);
  for (const EvaluateContext& context : {kEvaluation, kTraining}) {
    ASSERT_TRUE(executor->Run({x}, context, check).ok());
  }
  EXPECT_GT(pictures, 50);
}

INSTANTIATE_TEST_SUITE_P(Zoo, LayoutTest, testing::ValuesIn(ZooModelNames()),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace quantry::engine
