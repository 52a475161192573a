#ifndef QUANTRY_WORKER_ENGINE_FUSE_LAYER_RUN_H_
#define QUANTRY_WORKER_ENGINE_FUSE_LAYER_RUN_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "worker/engine/fuse/chain_run.h"
#include "worker/engine/fuse/run_value.h"
#include "worker/engine/kernels/convolution.h"

namespace quantry::engine {

// One run of a layer (fuse/layer_operator.h): x and weights are whole numbers times their steps, s
// and w[c], so
//   convolution(x, weight)[c] = s * w[c] * (convolution of the whole numbers)[c].
// With g the gradient of that, the backward pass takes h[c] = w[c] * g[c], in bf16, so that it
// needs nothing but whole numbers again:
//   gradient of x         = transposed convolution of h with the weights' whole numbers,
//   gradient of weight[c] = s / w[c] * correlation of h[c] with x's whole numbers.
class LayerRun : public torch::CustomClassHolder {
 public:
  // `weight_steps`: one per output channel.
  LayerRun(const ConvolutionShape& shape, float input_step, std::vector<double> weight_steps);

  // The convolution of the whole numbers, float32: of x, bf16, and of `weight`, float32 and
  // contiguous, of which its steps are counted. Keeps the weights for the backward pass if that
  // will need them.
  at::Tensor Convolve(const at::Tensor& x, const at::Tensor& weight);

  // What that counts: s * w[c].
  std::vector<double> factor() const;

  // Of h, which lies as the convolution's result.
  at::Tensor InputGradient(const at::Tensor& h, const at::Tensor& x) const;
  at::Tensor WeightGradient(const at::Tensor& h, const at::Tensor& x) const;
  // Of the bias, from h where the norm leaves a gradient.
  at::Tensor BiasGradient(const std::vector<double>& of_affine) const;

  bool wants_input() const { return wants_input_; }

  c10::intrusive_ptr<ChainRun> chain;

 private:
  ConvolutionShape shape_;
  std::shared_ptr<const Bf16Convolution> convolution_;
  double input_step_;
  std::vector<double> weight_steps_;
  bool wants_input_ = false;
  at::Tensor backward_weights_;  // packed
};

// What a layer reads; bias, r, gamma and beta may be undefined.
struct LayerTensors {
  at::Tensor x, weight, bias, r, gamma, beta;
};

// The layer's result, from `sums` of run->Convolve. Gradients flow to whatever asks for one.
RunValue RunLayer(const LayerTensors& tensors, const at::Tensor& sums,
                  const c10::intrusive_ptr<LayerRun>& run);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_LAYER_RUN_H_
