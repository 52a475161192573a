#include "worker/engine/kernels/convolution.h"

#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>

#include "worker/engine/kernels/onednn.h"
#include "worker/engine/kernels/weight_gradient.h"

namespace quantry::engine {
namespace {

dnnl::convolution_backward_data::primitive_desc BackwardInputOf(
    const ConvolutionShape& shape, const ConvolutionArrays& d,
    const dnnl::convolution_forward::primitive_desc& forward) {
#if DNNL_VERSION_MAJOR >= 3
  return {OneDnnEngine(),
          dnnl::algorithm::convolution_direct,
          d.x,
          d.weights,
          d.dy,
          DimsOf(shape.strides),
          DilationsOf(shape),
          DimsOf(shape.begin),
          DimsOf(shape.end),
          forward};
#else
  return {{dnnl::algorithm::convolution_direct, d.x, d.weights, d.dy, DimsOf(shape.strides),
           DilationsOf(shape), DimsOf(shape.begin), DimsOf(shape.end)},
          OneDnnEngine(),
          forward};
#endif
}

}  // namespace

std::array<int64_t, 2> ConvolutionShape::Result() const {
  std::array<int64_t, 2> result = {};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t covered = dilations[i] * (kernel[i] - 1) + 1;
    const int64_t free = picture[i] + begin[i] + end[i] - covered;
    result[i] = free < 0 ? 0 : free / strides[i] + 1;
  }
  return result;
}

struct Bf16Convolution::Passes {
  explicit Passes(const ConvolutionShape& shape)
      : d(shape),
        forward_desc(ForwardOf(shape, d)),
        input_desc(BackwardInputOf(shape, d, forward_desc)),
        forward(forward_desc),
        backward_input(input_desc),
        backward_weights(MakeWeightGradient(shape)) {}

  ConvolutionArrays d;
  dnnl::convolution_forward::primitive_desc forward_desc;
  dnnl::convolution_backward_data::primitive_desc input_desc;
  dnnl::convolution_forward forward;
  dnnl::convolution_backward_data backward_input;
  std::unique_ptr<const WeightGradient> backward_weights;
};

Bf16Convolution::Bf16Convolution(std::unique_ptr<const Passes> passes)
    : passes_(std::move(passes)) {}
Bf16Convolution::~Bf16Convolution() = default;

std::shared_ptr<const Bf16Convolution> Bf16Convolution::Of(const ConvolutionShape& shape) {
  static std::mutex mutex;
  static std::map<ConvolutionShape, std::shared_ptr<const Bf16Convolution>> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(shape);
  if (found != known.end()) return found->second;
  std::shared_ptr<const Bf16Convolution> made;
  try {
    made.reset(new Bf16Convolution(std::make_unique<const Passes>(shape)));
  } catch (const dnnl::error&) {
    // There is none: null is kept as the answer.
  }
  return known.emplace(shape, std::move(made)).first->second;
}

size_t Bf16Convolution::ForwardWeightBytes() const {
  return passes_->forward_desc.weights_desc().get_size();
}

size_t Bf16Convolution::BackwardWeightBytes() const {
  return passes_->input_desc.weights_desc().get_size();
}

void Bf16Convolution::PackForward(const void* weights, void* packed) const {
  Reorder(Wrap(passes_->d.plain_weights, weights),
          Wrap(passes_->forward_desc.weights_desc(), packed));
}

void Bf16Convolution::PackBackward(const void* weights, void* packed) const {
  Reorder(Wrap(passes_->d.plain_weights, weights),
          Wrap(passes_->input_desc.weights_desc(), packed));
}

void Bf16Convolution::Forward(const void* x, const void* packed, float* y) const {
  passes_->forward.execute(OneDnnStream(),
                           {{DNNL_ARG_SRC, Wrap(passes_->d.x, x)},
                            {DNNL_ARG_WEIGHTS, Wrap(passes_->forward_desc.weights_desc(), packed)},
                            {DNNL_ARG_DST, Wrap(passes_->d.y, y)}});
  OneDnnStream().wait();
}

void Bf16Convolution::BackwardInput(const void* dy, const void* packed, void* dx) const {
  passes_->backward_input.execute(
      OneDnnStream(), {{DNNL_ARG_DIFF_DST, Wrap(passes_->d.dy, dy)},
                       {DNNL_ARG_WEIGHTS, Wrap(passes_->input_desc.weights_desc(), packed)},
                       {DNNL_ARG_DIFF_SRC, Wrap(passes_->d.x, dx)}});
  OneDnnStream().wait();
}

void Bf16Convolution::BackwardWeights(const void* x, const void* dy, float* dweights) const {
  passes_->backward_weights->Run(x, dy, dweights);
}

}  // namespace quantry::engine
