#ifndef QUANTRY_TESTS_WORKER_ENGINE_PASSES_ONE_QUANTIZER_H_
#define QUANTRY_TESTS_WORKER_ENGINE_PASSES_ONE_QUANTIZER_H_

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {

inline std::vector<float> Flat(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().contiguous().view(-1);
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

// A graph of nothing but one quantizer, as inserting makes it: of its input "x", or, with a weight,
// of the parameter "x". What is learned asks for gradients.
class OneQuantizer {
 public:
  explicit OneQuantizer(const FakeQuantizeSpec& spec, const at::Tensor& weight = {},
                        std::optional<float> alpha = std::nullopt) {
    Value* x = weight.defined() ? graph_.AddInitializer("x", weight.detach().clone(),
                                                        InitializerRole::kParameter)
                                : graph_.AddInput("x", {.dtype = at::kFloat});
    Node* reader = graph_.AddNode("Identity", "reader", {x});
    graph_.AddOutput(reader->output());
    QuantPlan plan;
    plan.tensors.push_back({.value = x, .uses = {{reader, 0}}, .spec = spec, .alpha_start = alpha});
    InsertFakeQuant(graph_, plan);
    for (Value* parameter : graph_.initializers(InitializerRole::kParameter)) {
      parameter->tensor().set_requires_grad(true);
    }
    auto executor = Executor::Create(graph_);
    if (executor.ok()) executor_ = *std::move(executor);
    status_ = executor.status();
  }

  const absl::Status& status() const { return status_; }
  const Node& node() const { return *graph_.FindNode("x.fake_quant"); }
  at::Tensor Tensor(const std::string& name) const { return graph_.FindValue(name)->tensor(); }
  float Number(const std::string& name) const { return Tensor(name).item<float>(); }
  Graph& graph() { return graph_; }

  // x is left out with a weight.
  at::Tensor Run(RunPhase phase, const at::Tensor& x = {}) const {
    std::vector<at::Tensor> inputs;
    if (x.defined()) inputs.push_back(x);
    return executor_->Run(inputs, {.phase = phase}).value().at(0);
  }

 private:
  Graph graph_;
  std::unique_ptr<Executor> executor_;
  absl::Status status_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_PASSES_ONE_QUANTIZER_H_
