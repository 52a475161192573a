// RNN, GRU and LSTM beside ATen's own, and what ONNX adds to these.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/worker/engine/ops/operator_cases.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kTime = 4;
constexpr int64_t kBatch = 3;
constexpr int64_t kInput = 2;
constexpr int64_t kHidden = 5;

struct Layer {
  std::string op;
  int64_t gates;
  int64_t directions;
  at::Tensor w, r, b;

  Layer(const std::string& name, int64_t gate_count, int64_t direction_count)
      : op(name), gates(gate_count), directions(direction_count) {
    w = Numbers({directions, gates * kHidden, kInput}, 1) * 0.5;
    r = Numbers({directions, gates * kHidden, kHidden}, 2) * 0.3;
    b = Numbers({directions, 2 * gates * kHidden}, 3) * 0.5;
  }

  std::vector<at::Tensor> Run(std::vector<at::Tensor> more, AttributeMap attributes = {}) const {
    std::vector<at::Tensor> inputs = {more[0], w, r, b};
    inputs.insert(inputs.end(), more.begin() + 1, more.end());
    Graph graph;
    std::vector<Value*> values;
    for (const at::Tensor& input : inputs) {
      values.push_back(input.defined() ? graph.AddInput("x", TypeOf(input)) : nullptr);
    }
    std::vector<std::string> outputs = {"y", "h"};
    if (op == "LSTM") outputs.push_back("c");
    if (directions == 2) attributes["direction"] = std::string("bidirectional");
    const Node* node = graph.AddNode(op, "n", values, attributes, outputs);
    EXPECT_TRUE(VerifyOperators(graph).ok()) << VerifyOperators(graph);
    return FindOperator(op)->evaluate(*node, inputs, {});
  }

  // Weights in ATen's order of gates: `order` says where each of ATen's gates lies in ONNX's.
  std::vector<at::Tensor> ForTorch(const std::vector<int64_t>& order) const {
    std::vector<at::Tensor> all;
    const auto sorted = [&](const at::Tensor& stacked) {
      std::vector<at::Tensor> parts;
      for (const int64_t gate : order)
        parts.push_back(stacked.chunk(gates)[static_cast<size_t>(gate)]);
      return at::cat(parts);
    };
    for (int64_t d = 0; d < directions; ++d) {
      all.push_back(sorted(w[d]));
      all.push_back(sorted(r[d]));
      all.push_back(sorted(b[d].chunk(2)[0]));
      all.push_back(sorted(b[d].chunk(2)[1]));
    }
    return all;
  }
};

void ExpectClose(const at::Tensor& actual, const at::Tensor& expected) {
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_TRUE(at::allclose(actual, expected, 1e-5, 1e-6)) << actual << "\nexpected\n" << expected;
}

// ATen has directions behind the hidden elements, ONNX in front of the batch.
at::Tensor AsOnnx(const at::Tensor& y, int64_t directions) {
  return y.reshape({kTime, kBatch, directions, kHidden}).transpose(1, 2);
}

TEST(RecurrentTest, EqualsAten) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = Numbers({kTime, kBatch, kInput});
  for (const int64_t directions : {1, 2}) {
    SCOPED_TRACE(directions);
    const at::Tensor h = Numbers({directions, kBatch, kHidden}, 4);
    const at::Tensor c = Numbers({directions, kBatch, kHidden}, 5);
    const bool both = directions == 2;

    const Layer lstm("LSTM", 4, directions);
    const auto l = lstm.Run({x, {}, h, c});
    const auto [ly, lh, lc] =
        at::lstm(x, {h, c}, lstm.ForTorch({0, 2, 3, 1}), true, 1, 0.0, false, both, false);
    ExpectClose(l[0], AsOnnx(ly, directions));
    ExpectClose(l[1], lh);
    ExpectClose(l[2], lc);

    const Layer gru("GRU", 3, directions);
    const auto g = gru.Run({x, {}, h}, {{"linear_before_reset", int64_t{1}}});
    const auto [gy, gh] = at::gru(x, h, gru.ForTorch({1, 0, 2}), true, 1, 0.0, false, both, false);
    ExpectClose(g[0], AsOnnx(gy, directions));
    ExpectClose(g[1], gh);

    const Layer rnn("RNN", 1, directions);
    const auto r = rnn.Run({x, {}, h});
    const auto [ry, rh] = at::rnn_tanh(x, h, rnn.ForTorch({0}), true, 1, 0.0, false, both, false);
    ExpectClose(r[0], AsOnnx(ry, directions));
    ExpectClose(r[1], rh);
  }
}

TEST(RecurrentTest, ShortSequencesEndEarly) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = Numbers({kTime, kBatch, kInput});
  const std::vector<int64_t> lengths = {2, 4, 1};
  for (const auto& [op, gates] :
       {std::pair<const char*, int64_t>{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}}) {
    SCOPED_TRACE(op);
    const Layer layer(op, gates, 2);
    const auto all = layer.Run({x, at::tensor(lengths, at::kInt)});
    for (int64_t i = 0; i < kBatch; ++i) {
      const int64_t length = lengths[static_cast<size_t>(i)];
      const auto alone = layer.Run({x.narrow(0, 0, length).narrow(1, i, 1)});
      ExpectClose(all[0].narrow(0, 0, length).narrow(2, i, 1), alone[0]);
      EXPECT_EQ(all[0].narrow(0, length, kTime - length).narrow(2, i, 1).abs().sum().item<float>(),
                0.f);
      for (size_t k = 1; k < all.size(); ++k) ExpectClose(all[k].narrow(1, i, 1), alone[k]);
    }
  }
}

TEST(RecurrentTest, ReverseIsForwardOfTheReversed) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = Numbers({kTime, kBatch, kInput});
  const Layer layer("LSTM", 4, 1);
  const auto backward = layer.Run({x}, {{"direction", std::string("reverse")}});
  const auto forward = layer.Run({x.flip(0)});
  ExpectClose(backward[0], forward[0].flip(0));
  ExpectClose(backward[1], forward[1]);
}

TEST(RecurrentTest, BatchMayComeFirst) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = Numbers({kTime, kBatch, kInput});
  const at::Tensor h = Numbers({2, kBatch, kHidden}, 4);
  const Layer layer("GRU", 3, 2);
  const auto time_first = layer.Run({x, {}, h});
  const auto batch_first =
      layer.Run({x.transpose(0, 1), {}, h.transpose(0, 1)}, {{"layout", int64_t{1}}});
  ExpectClose(batch_first[0], time_first[0].permute({2, 0, 1, 3}));
  ExpectClose(batch_first[1], time_first[1].transpose(0, 1));
}

TEST(RecurrentTest, ClipsWhatGoesIntoActivations) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = Numbers({1, kBatch, kInput});
  const Layer layer("RNN", 1, 1);
  const auto y =
      layer.Run({x}, {{"activations", std::vector<std::string>{"Affine"}}, {"clip", 0.25f}});
  const auto free = layer.Run({x}, {{"activations", std::vector<std::string>{"affine"}}});
  ExpectClose(y[0], at::clamp(free[0], -0.25, 0.25));
}

TEST(RecurrentTest, RefusesWhatItDoesNotKnow) {
  const auto error = [](AttributeMap attributes) {
    Graph graph;
    const auto layer = Layer("LSTM", 4, 1);
    std::vector<Value*> values;
    for (const at::Tensor& input : {Numbers({1, 1, kInput}), layer.w, layer.r}) {
      values.push_back(graph.AddInput("x", TypeOf(input)));
    }
    graph.AddNode("LSTM", "n", values, std::move(attributes));
    return std::string(VerifyOperators(graph).message());
  };
  EXPECT_EQ(error({}), "");
  EXPECT_THAT(error({{"direction", std::string("up")}}), HasSubstr("allowed are forward"));
  EXPECT_THAT(error({{"clip", 0.0f}}), HasSubstr("above 0"));
  EXPECT_THAT(error({{"activations", std::vector<std::string>{"Tanh"}}}), HasSubstr("must have 3"));
  EXPECT_THAT(error({{"activations", std::vector<std::string>{"Tanh", "Tanh", "Sine"}}}),
              HasSubstr("'Sine'"));
}

}  // namespace
}  // namespace quantry::engine
