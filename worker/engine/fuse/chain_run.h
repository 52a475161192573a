#ifndef QUANTRY_WORKER_ENGINE_FUSE_CHAIN_RUN_H_
#define QUANTRY_WORKER_ENGINE_FUSE_CHAIN_RUN_H_

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <vector>

#include "worker/engine/fuse/chain_statistics.h"
#include "worker/engine/fuse/run_value.h"
#include "worker/engine/kernels/chain.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {

// The numbers of one run of a chain: what forward has found and backward needs beside the tensors.
// `chain` points into its own vectors, so it stays where it is.
struct ChainRun : torch::CustomClassHolder {
  RowShape shape;
  int64_t channel_axis = 1;
  ElementwiseChain chain;
  std::vector<float> mean;  // periodic, as the next three
  std::vector<float> scale;
  std::vector<float> shift;
  std::vector<float> input_scale;  // of the gradient of x, times that of t
  bool has_affine = false;         // t is not x itself
  bool has_operand = false;
  // With a norm, per channel. The rest is what `mean` has too much, being a float32.
  std::vector<double> inverse_deviation;
  std::vector<double> mean_rest;
  bool batch_statistics = false;  // the norm's are those of x itself
  GridLearning inner_learning;
  GridLearning outer_learning;
};

// The chain's result, by itself: dense as x, bf16 where `run` gives integers. `r` may be undefined.
at::Tensor ChainResult(const at::Tensor& x, const at::Tensor& r, const ChainRun& run);
// The same, to memory that is laid out as x.
void ChainResultTo(const at::Tensor& x, const at::Tensor& r, const ChainRun& run,
                   const at::Tensor& y);

// Of what a quantizer learns; undefined where it has no such parameter.
struct LearnedGradients {
  at::Tensor parameter;
  at::Tensor offset;
};

// Whether the chain is no more than an affine map, and perhaps a sum: then x and r are not needed
// for its gradients.
bool IsLinear(const ChainRun& run);

// Gradients by that of the result, `dy`. Undefined: there is no such input.
struct ChainGradients {
  at::Tensor x;             // of the type that was asked for
  at::Tensor r;             // of the type of r
  at::Tensor scale, shift;  // of a norm's gamma and beta; without a norm the second is a bias's
  LearnedGradients inner, outer;
  std::vector<double> affine;  // sums over rows of the gradient of t; empty without an affine part
};
// That of x is written to `dx`, of either type, which is laid out as x. Where IsLinear, x and r may
// be undefined.
ChainGradients ChainGradientsOf(const at::Tensor& x, const at::Tensor& r, const at::Tensor& dy,
                                const ChainRun& run, const at::Tensor& dx);

// The parameters that the chain's quantizers learn, and their gradients in the same order.
std::vector<at::Tensor> LearnersOf(const ChainRun& run);
std::vector<at::Tensor> LearnersGradients(const ChainGradients& gradients);

// What a chain reads; all but x may be undefined. `scale` and `shift` are per channel: a norm's
// gamma and beta, or no scale and a bias.
struct ChainTensors {
  at::Tensor x, r, scale, shift;
};

// The chain's result. Gradients flow to whatever asks for one.
RunValue RunChain(const ChainTensors& tensors, const c10::intrusive_ptr<ChainRun>& run);

// What autograd is to know of a tensor that may be left out.
c10::optional<at::Tensor> IfDefined(const at::Tensor& tensor);
bool WantsGradient(const at::Tensor& tensor);
std::vector<double> AsDoubles(const at::Tensor& tensor);
// Whether gradients are taken at all, and some tensor, perhaps undefined, wants one.
bool AnyWantsGradient(at::TensorList tensors);
// `value` for an AutogradContext's saved_data, and back.
template <typename T>
c10::IValue AsCapsule(const c10::intrusive_ptr<T>& value) {
  return c10::IValue::make_capsule(
      c10::static_intrusive_pointer_cast<torch::CustomClassHolder>(value));
}
template <typename T>
c10::intrusive_ptr<T> FromCapsule(const c10::IValue& value) {
  return c10::static_intrusive_pointer_cast<T>(value.toCapsule());
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_CHAIN_RUN_H_
