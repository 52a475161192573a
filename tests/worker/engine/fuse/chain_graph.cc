#include "tests/worker/engine/fuse/chain_graph.h"

#include <ATen/ATen.h>

#include <vector>

#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

// What the quantizers have seen once: less than what comes, so that some of that is clipped. Not
// the same, so that what one clips is not on the edge of the other.
constexpr float kInnerSeen = 2.37f;
constexpr float kOuterSeen = 3.19f;

Value* AddGrid(Graph& graph, const std::string& name, Value* x, bool symmetric) {
  const float seen = name == "inner" ? kInnerSeen : kOuterSeen;
  const auto state = [&](const char* suffix, std::vector<int64_t> shape) {
    return graph.AddInitializer(name + suffix, at::full(shape, seen), InitializerRole::kBuffer);
  };
  const std::vector<int64_t> shape = symmetric ? std::vector<int64_t>{} : std::vector<int64_t>{2};
  FakeQuantizeSpec spec = {.quantizer = "moving_average_abs_max", .symmetric = symmetric};
  std::vector<Value*> inputs = {
      x,       state(".scale", shape),   state(".accum", shape), state(".state", shape),
      nullptr, state(".initialized", {})};
  return graph.AddNode(kFakeQuantizeOp, name, inputs, ToAttributes(spec))->output();
}

Value* AddNorm(Graph& graph, Value* x, int64_t channels) {
  const auto add = [&](const char* name, const at::Tensor& tensor, InitializerRole role) {
    return graph.AddInitializer(name, tensor, role);
  };
  const std::vector<Value*> inputs = {
      x, add("gamma", at::randn({channels}), InitializerRole::kParameter),
      add("beta", at::randn({channels}), InitializerRole::kParameter),
      add("mean", at::randn({channels}), InitializerRole::kBuffer),
      add("variance", at::rand({channels}) + 0.5, InitializerRole::kBuffer)};
  return graph.AddNode("BatchNormalization", "norm", inputs, {{"momentum", 0.9f}})->output();
}

Value* AddActivation(Graph& graph, const std::string& activation, Value* x) {
  if (activation != "Relu6") return graph.AddNode(activation, "activation", {x})->output();
  const auto bound = [&](const char* name, float value) {
    return graph.AddInitializer(name, at::scalar_tensor(value, at::kFloat),
                                InitializerRole::kConstant);
  };
  return graph.AddNode("Clip", "activation", {x, bound("min", 0), bound("max", 6)})->output();
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const ChainForm& form) {
  return out << (form.norm ? "norm " : "") << (form.inner ? "inner " : "")
             << (form.add ? "add " : "") << form.activation << (form.outer ? " outer" : "")
             << (form.symmetric ? "" : " asymmetric");
}

Graph ChainGraph(const ChainForm& form, int64_t channels) {
  Graph graph;
  Value* value = graph.AddInput("x", {});
  Value* r = form.add ? graph.AddInput("r", {}) : nullptr;
  if (form.norm) value = AddNorm(graph, value, channels);
  if (form.inner) value = AddGrid(graph, "inner", value, form.symmetric);
  if (form.add) value = graph.AddNode("Add", "add", {value, r})->output();
  if (!form.activation.empty()) value = AddActivation(graph, form.activation, value);
  if (form.outer) value = AddGrid(graph, "outer", value, form.symmetric);
  graph.AddOutput(value);
  return graph;
}

}  // namespace quantry::engine
