#ifndef QUANTRY_WORKER_ENGINE_KERNELS_ONEDNN_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_ONEDNN_H_

#include <oneapi/dnnl/dnnl.hpp>

#include "worker/engine/kernels/convolution.h"

namespace quantry::engine {

// What the kernels by oneDNN share. Its functions throw dnnl::error.

// The CPU; one stream for each thread.
const dnnl::engine& OneDnnEngine();
dnnl::stream& OneDnnStream();

// `data`, without a copy, as what `desc` says.
dnnl::memory Wrap(const dnnl::memory::desc& desc, const void* data);

// Copies from one layout or type to another.
void Reorder(const dnnl::memory& from, const dnnl::memory& to);

dnnl::memory::dims DimsOf(const std::array<int64_t, 2>& values);
// oneDNN counts elements left out between two of the kernel.
dnnl::memory::dims DilationsOf(const ConvolutionShape& shape);

// What the arrays of a convolution hold. `weights` and `dweights` leave the layout to oneDNN; in
// the plain one gradients are float32, weights bf16.
struct ConvolutionArrays {
  explicit ConvolutionArrays(const ConvolutionShape& shape);

  dnnl::memory::desc x, y, dy, weights, dweights, plain_gradient, plain_weights;
};

dnnl::convolution_forward::primitive_desc ForwardOf(const ConvolutionShape& shape,
                                                    const ConvolutionArrays& arrays);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_ONEDNN_H_
