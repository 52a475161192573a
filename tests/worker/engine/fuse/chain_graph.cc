#include "tests/worker/engine/fuse/chain_graph.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

// What the quantizers have seen once: less than what comes, so that some of that is clipped. Not
// the same, so that what one clips is not on the edge of the other.
constexpr float kInnerSeen = 2.37f;
constexpr float kOuterSeen = 3.19f;
// Another grid than the inner one's: two values that cancel out are 0 or not by their last bits.
constexpr float kOperandSeen = 2.91f;

// The inputs of a quantizer `name` of x that has seen that much.
class GridInputs {
 public:
  GridInputs(Graph& graph, const std::string& name, Value* x) : graph_(graph), name_(name) {
    inputs_[kFakeQuantizeX] = x;
    Add(kFakeQuantizeInitialized, ".initialized", at::ones({}));
  }

  void Add(FakeQuantizeInput index, const char* suffix, const at::Tensor& tensor,
           InitializerRole role = InitializerRole::kBuffer) {
    inputs_[index] = graph_.AddInitializer(name_ + suffix, tensor, role);
  }
  void AddSums(const at::Tensor& seen) {
    Add(kFakeQuantizeAccum, ".accum", seen.clone());
    Add(kFakeQuantizeState, ".state", seen.clone());
  }
  Value* AddNode(const FakeQuantizeSpec& spec) {
    return graph_.AddNode(kFakeQuantizeOp, name_, inputs_, ToAttributes(spec))->output();
  }

 private:
  Graph& graph_;
  std::string name_;
  std::vector<Value*> inputs_ = std::vector<Value*>(kFakeQuantizeZeroPoint + 1, nullptr);
};

Value* AddLearnedGrid(GridInputs& inputs, float seen, bool symmetric, bool offset) {
  inputs.AddSums(at::zeros({}));
  inputs.Add(kFakeQuantizeScale, ".scale",
             at::scalar_tensor(symmetric ? seen / 127 : seen / 100, at::kFloat),
             InitializerRole::kParameter);
  if (offset) {
    inputs.Add(kFakeQuantizeOffset, ".offset", at::scalar_tensor(-0.8f * seen, at::kFloat),
               InitializerRole::kParameter);
  } else if (!symmetric) {
    inputs.Add(kFakeQuantizeZeroPoint, ".zero_point", at::scalar_tensor(101, at::kFloat));
  }
  return inputs.AddNode({.quantizer = offset ? "lsq_plus_act" : "lsq_act", .symmetric = symmetric});
}

Value* AddGrid(Graph& graph, const std::string& name, Value* x, bool symmetric,
               const std::string& learns = "") {
  const float seen = name == "outer" ? kOuterSeen : name == "in_r" ? kOperandSeen : kInnerSeen;
  GridInputs inputs(graph, name, x);
  if (learns == "step") return AddLearnedGrid(inputs, seen, symmetric, /*offset=*/false);
  if (learns == "offset") return AddLearnedGrid(inputs, seen, /*symmetric=*/false, true);
  const at::Tensor reach =
      at::full(symmetric ? std::vector<int64_t>{} : std::vector<int64_t>{2}, seen);
  inputs.AddSums(reach);
  inputs.Add(kFakeQuantizeScale, ".scale", reach.clone());
  const bool pact = learns == "alpha";
  if (pact) {
    inputs.Add(kFakeQuantizeAlpha, ".alpha", at::scalar_tensor(0.7f * seen, at::kFloat),
               InitializerRole::kParameter);
  }
  return inputs.AddNode(
      {.quantizer = "moving_average_abs_max", .symmetric = symmetric, .pact = pact});
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

Value* AddConstant(Graph& graph, const char* name, double value) {
  return graph.AddInitializer(name, at::scalar_tensor(value, at::kFloat),
                              InitializerRole::kConstant);
}

Value* AddActivation(Graph& graph, const std::string& activation, Value* x) {
  const auto add = [&](const char* op, const char* name, std::vector<Value*> inputs,
                       const AttributeMap& attributes = {}) {
    return graph.AddNode(op, name, inputs, attributes)->output();
  };
  if (activation == "Relu6") {
    return add("Clip", "activation",
               {x, AddConstant(graph, "min", 0), AddConstant(graph, "max", 6)});
  }
  if (activation == "Silu") return add("Mul", "activation", {x, add("Sigmoid", "sigmoid", {x})});
  if (activation == "GeluErf") {
    Value* part = add("Div", "divided", {x, AddConstant(graph, "root", std::sqrt(2.0))});
    part = add("Erf", "erf", {part});
    part = add("Add", "shifted", {part, AddConstant(graph, "one", 1)});
    part = add("Mul", "times", {x, part});
    return add("Mul", "activation", {part, AddConstant(graph, "half", 0.5)});
  }
  if (activation == "GeluTanh") {
    return add("Gelu", "activation", {x}, {{"approximate", std::string("tanh")}});
  }
  return add(activation.c_str(), "activation", {x});
}

Value* AddBias(Graph& graph, Value* x, int64_t channels) {
  Value* bias = graph.AddInitializer("bias", at::randn({channels}), InitializerRole::kParameter);
  return graph.AddNode("Add", "bias_add", {bias, x})->output();
}

Value* AddChain(Graph& graph, const ChainForm& form, Value* x, Value* r, int64_t channels) {
  Value* value = x;
  if (form.bias) value = AddBias(graph, value, channels);
  if (form.norm) value = AddNorm(graph, value, channels);
  if (form.inner) value = AddGrid(graph, "inner", value, form.symmetric, form.learns);
  if (form.add) value = graph.AddNode("Add", "add", {value, r})->output();
  if (!form.activation.empty()) value = AddActivation(graph, form.activation, value);
  if (form.outer) value = AddGrid(graph, "outer", value, form.symmetric, form.learns);
  return value;
}

Value* AddWeight(Graph& graph, const LayerForm& form) {
  std::vector<int64_t> sizes = {form.out_channels, form.in_channels / form.groups, 3, 3};
  if (form.gemm) sizes.resize(2);
  if (form.matmul) sizes = {form.in_channels, form.out_channels};
  const at::Tensor weight = at::randn(sizes) * 0.1;
  const auto state = [&](const char* suffix, const at::Tensor& tensor) {
    return graph.AddInitializer(std::string("weight") + suffix, tensor, InitializerRole::kBuffer);
  };
  FakeQuantizeSpec spec = {
      .quantizer = "channel_wise_abs_max", .axis = form.matmul ? 1 : 0, .is_weight = true};
  const std::vector<Value*> inputs = {
      graph.AddInitializer("weight", weight, InitializerRole::kParameter),
      state(".scale", at::ones({form.out_channels})),
      nullptr,
      nullptr,
      nullptr,
      state(".initialized", at::ones({}))};
  return graph.AddNode(kFakeQuantizeOp, "weight_grid", inputs, ToAttributes(spec))->output();
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const LayerForm& form) {
  return out << form.chain << " of " << form.in_channels << " to " << form.out_channels << " in "
             << form.groups << " groups, stride " << form.stride << (form.gemm ? ", Gemm" : "")
             << (form.matmul ? ", MatMul" : "");
}

Graph LayerGraph(const LayerForm& form) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Value* r = form.chain.add ? graph.AddInput("r", {}) : nullptr;
  x = AddGrid(graph, "in", x, form.chain.symmetric);
  if (r != nullptr) r = AddGrid(graph, "in_r", r, form.chain.symmetric);
  std::vector<Value*> inputs = {x, AddWeight(graph, form)};
  if (form.matmul) {
    Value* y = graph.AddNode("MatMul", "convolution", inputs)->output();
    graph.AddOutput(AddChain(graph, form.chain, y, r, form.out_channels));
    return graph;
  }
  if (!form.chain.norm) {
    inputs.push_back(
        graph.AddInitializer("bias", at::randn({form.out_channels}), InitializerRole::kParameter));
  }
  const AttributeMap window = {{"group", form.groups},
                               {"kernel_shape", std::vector<int64_t>{3, 3}},
                               {"pads", std::vector<int64_t>{1, 1, 1, 1}},
                               {"strides", std::vector<int64_t>{form.stride, form.stride}}};
  const AttributeMap transposed = {{"transB", int64_t{1}}};
  Value* y = graph
                 .AddNode(form.gemm ? "Gemm" : "Conv", "convolution", inputs,
                          form.gemm ? transposed : window)
                 ->output();
  graph.AddOutput(AddChain(graph, form.chain, y, r, form.out_channels));
  return graph;
}

std::ostream& operator<<(std::ostream& out, const ChainForm& form) {
  return out << (form.norm ? "norm " : "") << (form.bias ? "bias " : "")
             << (form.inner ? "inner " : "") << (form.add ? "add " : "") << form.activation
             << (form.outer ? " outer" : "") << (form.symmetric ? "" : " asymmetric")
             << (form.learns.empty() ? "" : " that learns its ") << form.learns;
}

std::ostream& operator<<(std::ostream& out, const GateForm& form) {
  return out << (form.symmetric ? "gate" : "asymmetric gate") << " that learns '" << form.learns
             << "'" << (form.gate_first ? ", the gate first" : "");
}

Graph GateGraph(const GateForm& form) {
  Graph graph;
  Value* x = graph.AddInput("x", {});
  Value* gate = graph.AddInput("gate", {});
  x = AddGrid(graph, "in", x, form.symmetric);
  std::vector<Value*> factors = {x, gate};
  if (form.gate_first) std::swap(factors[0], factors[1]);
  Value* product = graph.AddNode("Mul", "product", factors)->output();
  graph.AddOutput(AddGrid(graph, "outer", product, form.symmetric, form.learns));
  return graph;
}

Graph ChainGraph(const ChainForm& form, int64_t channels) {
  Graph graph;
  Value* value = graph.AddInput("x", {});
  Value* r = form.add ? graph.AddInput("r", {}) : nullptr;
  graph.AddOutput(AddChain(graph, form, value, r, channels));
  return graph;
}

}  // namespace quantry::engine
