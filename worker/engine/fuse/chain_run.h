#ifndef QUANTRY_WORKER_ENGINE_FUSE_CHAIN_RUN_H_
#define QUANTRY_WORKER_ENGINE_FUSE_CHAIN_RUN_H_

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <vector>

#include "worker/engine/fuse/chain_statistics.h"
#include "worker/engine/kernels/chain.h"

namespace quantry::engine {

// The numbers of one run of a chain: what forward has found and backward needs beside the tensors.
// `chain` points into its own vectors, so it stays where it is.
struct ChainRun : torch::CustomClassHolder {
  RowShape shape;
  ElementwiseChain chain;
  std::vector<float> mean;  // periodic, as the next two
  std::vector<float> scale;
  std::vector<float> shift;
  // With a norm, per channel. The rest is what `mean` has too much, being a float32.
  std::vector<double> inverse_deviation;
  std::vector<double> mean_rest;
  bool batch_statistics = false;  // the norm's are those of x itself
};

// The chain's result; r, gamma and beta may be undefined. Gradients flow to whatever asks for one.
at::Tensor RunChain(const at::Tensor& x, const at::Tensor& r, const at::Tensor& gamma,
                    const at::Tensor& beta, const c10::intrusive_ptr<ChainRun>& run);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_CHAIN_RUN_H_
