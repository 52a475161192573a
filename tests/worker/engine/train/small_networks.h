#ifndef QUANTRY_TESTS_WORKER_ENGINE_TRAIN_SMALL_NETWORKS_H_
#define QUANTRY_TESTS_WORKER_ENGINE_TRAIN_SMALL_NETWORKS_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Puts small networks for pictures [?, 3, 16, 16] together, layer by layer.
class SmallNetwork {
 public:
  explicit SmallNetwork(uint64_t seed) {
    at::manual_seed(seed);
    last_ = graph_.AddInput(
        "input", {.dtype = at::kFloat, .shape = std::vector<Dimension>{std::nullopt, 3, 16, 16}});
  }

  Value* last() const { return last_; }

  // A convolution and its normalization.
  void Conv(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t groups = 1) {
    const std::string name = absl::StrCat("conv", ++layers_);
    const int64_t pad = kernel / 2;
    const double spread = std::sqrt(2.0 / static_cast<double>(in / groups * kernel * kernel));
    last_ = graph_
                .AddNode("Conv", name,
                         {last_, Parameter(name + ".weight",
                                           at::randn({out, in / groups, kernel, kernel}) * spread)},
                         {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
                          {"strides", std::vector<int64_t>{stride, stride}},
                          {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                          {"group", groups}})
                ->output();
    last_ = graph_
                .AddNode("BatchNormalization", name + ".norm",
                         {last_, Parameter(name + ".gamma", at::ones({out})),
                          Parameter(name + ".beta", at::zeros({out})),
                          Buffer(name + ".mean", at::zeros({out})),
                          Buffer(name + ".var", at::ones({out}))})
                ->output();
  }
  void Op(const std::string& op) {
    last_ = graph_.AddNode(op, absl::StrCat(op, ++layers_), {last_})->output();
  }
  void AddTo(Value* other) {
    last_ = graph_.AddNode("Add", absl::StrCat("add", ++layers_), {last_, other})->output();
  }

  // 16 logits of the mean over each of `channels`.
  Graph Finish(int64_t channels, bool dropout) {
    Op("GlobalAveragePool");
    last_ = graph_.AddNode("Flatten", "flatten", {last_}, {{"axis", int64_t{1}}})->output();
    if (dropout) Op("Dropout");
    last_ = graph_
                .AddNode("Gemm", "fc",
                         {last_, Parameter("fc.weight", at::randn({16, channels}) * 0.2),
                          Parameter("fc.bias", at::zeros({16}))},
                         {{"transB", int64_t{1}}})
                ->output();
    graph_.AddOutput(last_);
    graph_.Rename(last_, "logits");
    return std::move(graph_);
  }

 private:
  Value* Parameter(const std::string& name, const at::Tensor& tensor) {
    return graph_.AddInitializer(name, tensor, InitializerRole::kParameter);
  }
  Value* Buffer(const std::string& name, const at::Tensor& tensor) {
    return graph_.AddInitializer(name, tensor, InitializerRole::kBuffer);
  }

  Graph graph_;
  Value* last_ = nullptr;
  int layers_ = 0;
};

// As ResNet: a residual block behind a first convolution.
inline Graph BuildResidualNet(uint64_t seed) {
  SmallNetwork net(seed);
  net.Conv(3, 8, 3, 2);
  net.Op("Relu");
  Value* shortcut = net.last();
  net.Conv(8, 8, 3, 1);
  net.Op("Relu");
  net.Conv(8, 8, 3, 1);
  net.AddTo(shortcut);
  net.Op("Relu");
  return net.Finish(8, /*dropout=*/false);
}

// As MobileNet: depthwise separable convolutions, hard-swish, dropout.
inline Graph BuildDepthwiseNet(uint64_t seed) {
  SmallNetwork net(seed);
  net.Conv(3, 8, 3, 2);
  net.Op("HardSwish");
  net.Conv(8, 8, 3, 1, /*groups=*/8);
  net.Op("Relu");
  net.Conv(8, 16, 1, 1);
  net.Op("HardSwish");
  return net.Finish(16, /*dropout=*/true);
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_TRAIN_SMALL_NETWORKS_H_
