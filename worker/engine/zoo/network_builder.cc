#include "worker/engine/zoo/network_builder.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace quantry::engine {

int64_t RoundChannels(double channels) {
  constexpr int64_t kDivisor = 8;
  const auto nearest =
      static_cast<int64_t>(channels + static_cast<double>(kDivisor) / 2) / kDivisor * kDivisor;
  const int64_t rounded = std::max(kDivisor, nearest);
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + kDivisor : rounded;
}

NetworkBuilder::NetworkBuilder(absl::string_view name, const ZooOptions& options,
                               BatchNormOptions batch_norm)
    : options_(options),
      batch_norm_(batch_norm),
      generator_(at::detail::createCPUGenerator(options.seed)) {
  graph_.name = std::string(name);
  graph_.doc = absl::StrCat("built-in network, width ", options.width);
}

Value* NetworkBuilder::Parameter(const std::string& name, at::Tensor tensor) {
  return graph_.AddInitializer(name, std::move(tensor), InitializerRole::kParameter);
}

Value* NetworkBuilder::Constant(const std::string& name, float value) {
  return graph_.AddInitializer(name, at::full({}, value, at::kFloat), InitializerRole::kConstant);
}

Value* NetworkBuilder::Input() {
  const int64_t size = options_.image_size;
  return graph_.AddInput(
      "input", ValueType{at::kFloat, std::vector<Dimension>{std::nullopt, 3, size, size}});
}

Value* NetworkBuilder::Conv(absl::string_view name, Value* x, const ConvOptions& options) {
  const int64_t k = options.kernel;
  const int64_t pad = (k - 1) / 2;
  const double deviation = std::sqrt(2.0 / static_cast<double>(options.out * k * k));
  std::vector<Value*> inputs = {
      x, Parameter(absl::StrCat(name, ".weight"),
                   at::empty({options.out, options.in / options.groups, k, k}, at::kFloat)
                       .normal_(0.0, deviation, generator_))};
  if (options.bias) {
    inputs.push_back(Parameter(absl::StrCat(name, ".bias"), at::zeros({options.out}, at::kFloat)));
  }
  AttributeMap attributes;
  attributes["kernel_shape"] = std::vector<int64_t>{k, k};
  attributes["strides"] = std::vector<int64_t>{options.stride, options.stride};
  attributes["pads"] = std::vector<int64_t>{pad, pad, pad, pad};
  attributes["dilations"] = std::vector<int64_t>{1, 1};
  attributes["group"] = options.groups;
  return graph_.AddNode("Conv", name, std::move(inputs), std::move(attributes))->output();
}

Value* NetworkBuilder::BatchNorm(absl::string_view name, Value* x, int64_t channels) {
  const auto buffer = [&](absl::string_view suffix, at::Tensor tensor) {
    return graph_.AddInitializer(absl::StrCat(name, suffix), std::move(tensor),
                                 InitializerRole::kBuffer);
  };
  std::vector<Value*> inputs = {
      x, Parameter(absl::StrCat(name, ".weight"), at::ones({channels}, at::kFloat)),
      Parameter(absl::StrCat(name, ".bias"), at::zeros({channels}, at::kFloat)),
      buffer(".running_mean", at::zeros({channels}, at::kFloat)),
      buffer(".running_var", at::ones({channels}, at::kFloat))};
  AttributeMap attributes;
  attributes["epsilon"] = batch_norm_.epsilon;
  attributes["momentum"] = batch_norm_.momentum;
  return graph_.AddNode("BatchNormalization", name, std::move(inputs), std::move(attributes))
      ->output();
}

Value* NetworkBuilder::Unary(absl::string_view op, absl::string_view name, Value* x) {
  AttributeMap attributes;
  // ONNX's default slope is 0.2; torch's hard sigmoid is relu6(x + 3) / 6.
  if (op == "HardSigmoid") attributes["alpha"] = 1.0f / 6.0f;
  return graph_.AddNode(op, name, {x}, std::move(attributes))->output();
}

Value* NetworkBuilder::Relu6(absl::string_view name, Value* x) {
  return graph_
      .AddNode("Clip", name,
               {x, Constant(absl::StrCat(name, ".min"), 0.0f),
                Constant(absl::StrCat(name, ".max"), 6.0f)})
      ->output();
}

Value* NetworkBuilder::MaxPool3x3(absl::string_view name, Value* x) {
  AttributeMap attributes;
  attributes["kernel_shape"] = std::vector<int64_t>{3, 3};
  attributes["strides"] = std::vector<int64_t>{2, 2};
  attributes["pads"] = std::vector<int64_t>{1, 1, 1, 1};
  return graph_.AddNode("MaxPool", name, {x}, std::move(attributes))->output();
}

Value* NetworkBuilder::Add(absl::string_view name, Value* a, Value* b) {
  return graph_.AddNode("Add", name, {a, b})->output();
}

Value* NetworkBuilder::Mul(absl::string_view name, Value* a, Value* b) {
  return graph_.AddNode("Mul", name, {a, b})->output();
}

Value* NetworkBuilder::Pool(absl::string_view name, Value* x) {
  return graph_.AddNode("GlobalAveragePool", name, {x})->output();
}

Value* NetworkBuilder::Flatten(absl::string_view name, Value* x) {
  return graph_.AddNode("Flatten", name, {x}, {{"axis", int64_t{1}}})->output();
}

Value* NetworkBuilder::Dropout(absl::string_view name, Value* x, float ratio) {
  return graph_.AddNode("Dropout", name, {x, Constant(absl::StrCat(name, ".ratio"), ratio)})
      ->output();
}

Value* NetworkBuilder::Linear(absl::string_view name, Value* x, int64_t in, int64_t out,
                              LinearInit init) {
  at::Tensor weight = at::empty({out, in}, at::kFloat);
  at::Tensor bias = at::zeros({out}, at::kFloat);
  if (init == LinearInit::kNormal) {
    weight.normal_(0.0, 0.01, generator_);
  } else {
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    weight.uniform_(-bound, bound, generator_);
    bias.uniform_(-bound, bound, generator_);
  }
  AttributeMap attributes;
  attributes["alpha"] = 1.0f;
  attributes["beta"] = 1.0f;
  attributes["transB"] = int64_t{1};
  return graph_
      .AddNode("Gemm", name,
               {x, Parameter(absl::StrCat(name, ".weight"), weight),
                Parameter(absl::StrCat(name, ".bias"), bias)},
               std::move(attributes))
      ->output();
}

Graph NetworkBuilder::Finish(Value* logits) {
  graph_.Rename(logits, "logits");
  logits->type = ValueType{at::kFloat, std::vector<Dimension>{std::nullopt, options_.num_classes}};
  graph_.AddOutput(logits);
  return std::move(graph_);
}

}  // namespace quantry::engine
