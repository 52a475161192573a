#ifndef QUANTRY_WORKER_ENGINE_ZOO_NETWORK_BUILDER_H_
#define QUANTRY_WORKER_ENGINE_ZOO_NETWORK_BUILDER_H_

#include <ATen/core/Generator.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/zoo/zoo.h"

namespace quantry::engine {

// Channels scaled and rounded to a multiple of 8, never below 90 % of what was asked for
// (torchvision's _make_divisible, from the MobileNet papers' code).
int64_t RoundChannels(double channels);

// Puts a network together layer by layer, named and initialised as torchvision does. Layer `name`
// is the module's path; its tensors are name.weight, name.bias, name.running_mean,
// name.running_var. Convolutions: normal with variance 2 / (out_channels * kernel^2) (He et al.
// 2015, fan-out), zero bias. Not thread-safe.
class NetworkBuilder {
 public:
  struct BatchNormOptions {
    float epsilon = 1e-5f;
    float momentum = 0.9f;  // ONNX's: of the old value; torch's is 1 minus this
  };
  struct ConvOptions {
    int64_t in = 0;
    int64_t out = 0;
    int64_t kernel = 1;  // height and width; padded by (kernel - 1) / 2 on each side
    int64_t stride = 1;
    int64_t groups = 1;
    bool bias = false;
  };
  enum class LinearInit {
    kNormal,   // N(0, 0.01), zero bias: the MobileNets
    kUniform,  // weight and bias U(-1/sqrt(in), 1/sqrt(in)): torch's own
  };

  NetworkBuilder(absl::string_view name, const ZooOptions& options, BatchNormOptions batch_norm);

  Value* Input();  // "input", float32 [?, 3, image_size, image_size]
  Value* Conv(absl::string_view name, Value* x, const ConvOptions& options);
  Value* BatchNorm(absl::string_view name, Value* x, int64_t channels);
  Value* Unary(absl::string_view op, absl::string_view name, Value* x);  // Relu, HardSwish, ...
  Value* Relu6(absl::string_view name, Value* x);
  Value* MaxPool3x3(absl::string_view name, Value* x);  // stride 2, padding 1
  Value* Add(absl::string_view name, Value* a, Value* b);
  Value* Mul(absl::string_view name, Value* a, Value* b);
  Value* Pool(absl::string_view name, Value* x);     // mean over height and width, both kept as 1
  Value* Flatten(absl::string_view name, Value* x);  // [N, C, 1, 1] to [N, C]
  Value* Dropout(absl::string_view name, Value* x, float ratio);
  Value* Linear(absl::string_view name, Value* x, int64_t in, int64_t out, LinearInit init);

  // Makes `logits` the output "logits" and hands the graph over.
  Graph Finish(Value* logits);

 private:
  Value* Parameter(const std::string& name, at::Tensor tensor);
  Value* Constant(const std::string& name, float value);

  Graph graph_;
  ZooOptions options_;
  BatchNormOptions batch_norm_;
  at::Generator generator_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_ZOO_NETWORK_BUILDER_H_
