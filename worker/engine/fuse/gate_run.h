#ifndef QUANTRY_WORKER_ENGINE_FUSE_GATE_RUN_H_
#define QUANTRY_WORKER_ENGINE_FUSE_GATE_RUN_H_

#include <ATen/core/Tensor.h>

#include <deque>

#include "worker/engine/fuse/chain_run.h"
#include "worker/engine/fuse/run_value.h"

namespace quantry::engine {

// One run of a gate (fuse/gate_operator.h): a chain for each picture.
class GateRun : public torch::CustomClassHolder {
 public:
  // x: [N, C, H, W], channels_last; gate: [N, C, 1, 1], float32.
  GateRun(const RunValue& x, const at::Tensor& gate);

  // Of the product. x is always that of the constructor.
  ChainRange Range(const at::Tensor& x) const;
  // What all pictures have in common: all but the affine part.
  void SetChain(const ElementwiseChain& chain, const GridLearning& learning);

  at::Tensor Forward(const at::Tensor& x) const;

  // Gradients by that of the result, `dy`, which is laid out as x.
  struct Gradients {
    at::Tensor x;  // of the type of x
    at::Tensor gate;
    std::vector<at::Tensor> learned;
  };
  Gradients Backward(const at::Tensor& x, const at::Tensor& dy) const;

  const GridLearning& learning() const { return pictures_.front().outer_learning; }
  const ElementwiseChain& chain() const { return pictures_.front().chain; }

 private:
  std::deque<ChainRun> pictures_;  // they stay where they are
};

// The result, from what `run` was made of. Gradients flow to whatever asks for one.
RunValue RunGate(const at::Tensor& x, const at::Tensor& gate,
                 const c10::intrusive_ptr<GateRun>& run);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_GATE_RUN_H_
