#include "worker/engine/kernels/onednn.h"

namespace quantry::engine {
namespace {

using Type = dnnl::memory::data_type;
using Layout = dnnl::memory::format_tag;
using Dims = dnnl::memory::dims;

Dims WeightDims(const ConvolutionShape& shape) {
  const int64_t in = shape.in_channels / shape.groups;
  if (shape.groups == 1) return {shape.out_channels, in, shape.kernel[0], shape.kernel[1]};
  return {shape.groups, shape.out_channels / shape.groups, in, shape.kernel[0], shape.kernel[1]};
}

Layout PlainLayout(const ConvolutionShape& shape) {
  return shape.groups == 1 ? Layout::oihw : Layout::goihw;
}

}  // namespace

const dnnl::engine& OneDnnEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& OneDnnStream() {
  thread_local dnnl::stream stream(OneDnnEngine());
  return stream;
}

dnnl::memory Wrap(const dnnl::memory::desc& desc, const void* data) {
  return {desc, OneDnnEngine(), const_cast<void*>(data)};
}

void Reorder(const dnnl::memory& from, const dnnl::memory& to) {
  dnnl::memory source = from;
  dnnl::memory target = to;
  dnnl::reorder(source, target).execute(OneDnnStream(), source, target);
  OneDnnStream().wait();
}

Dims DimsOf(const std::array<int64_t, 2>& values) { return {values[0], values[1]}; }

Dims DilationsOf(const ConvolutionShape& shape) {
  return {shape.dilations[0] - 1, shape.dilations[1] - 1};
}

ConvolutionArrays::ConvolutionArrays(const ConvolutionShape& shape)
    : x({shape.batch, shape.in_channels, shape.picture[0], shape.picture[1]}, Type::bf16,
        Layout::nhwc),
      y({shape.batch, shape.out_channels, shape.Result()[0], shape.Result()[1]}, Type::f32,
        Layout::nhwc),
      dy({shape.batch, shape.out_channels, shape.Result()[0], shape.Result()[1]}, Type::bf16,
         Layout::nhwc),
      weights(WeightDims(shape), Type::bf16, Layout::any),
      dweights(WeightDims(shape), Type::f32, Layout::any),
      plain_gradient(WeightDims(shape), Type::f32, PlainLayout(shape)),
      plain_weights(WeightDims(shape), Type::bf16, PlainLayout(shape)) {}

// oneDNN 3 has done away with the descriptions of operations that oneDNN 2 makes a primitive of.
dnnl::convolution_forward::primitive_desc ForwardOf(const ConvolutionShape& shape,
                                                    const ConvolutionArrays& d) {
  constexpr auto kKind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {OneDnnEngine(),
          kKind,
          dnnl::algorithm::convolution_direct,
          d.x,
          d.weights,
          d.y,
          DimsOf(shape.strides),
          DilationsOf(shape),
          DimsOf(shape.begin),
          DimsOf(shape.end)};
#else
  return {{kKind, dnnl::algorithm::convolution_direct, d.x, d.weights, d.y, DimsOf(shape.strides),
           DilationsOf(shape), DimsOf(shape.begin), DimsOf(shape.end)},
          OneDnnEngine()};
#endif
}

}  // namespace quantry::engine
