#include "worker/engine/kernels/convolution.h"

#include <omp.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace quantry::engine {
namespace {

using Type = dnnl::memory::data_type;
using Layout = dnnl::memory::format_tag;
using Dims = dnnl::memory::dims;

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& Stream() {
  thread_local dnnl::stream stream(Engine());
  return stream;
}

dnnl::memory Wrap(const dnnl::memory::desc& desc, const void* data) {
  return {desc, Engine(), const_cast<void*>(data)};
}

void Reorder(const dnnl::memory& from, const dnnl::memory& to) {
  dnnl::memory source = from;
  dnnl::memory target = to;
  dnnl::reorder(source, target).execute(Stream(), source, target);
  Stream().wait();
}

Dims DimsOf(const std::array<int64_t, 2>& values) { return {values[0], values[1]}; }

// oneDNN counts elements left out between two of the kernel.
Dims DilationsOf(const ConvolutionShape& shape) {
  return {shape.dilations[0] - 1, shape.dilations[1] - 1};
}

Dims WeightDims(const ConvolutionShape& shape) {
  const int64_t in = shape.in_channels / shape.groups;
  if (shape.groups == 1) return {shape.out_channels, in, shape.kernel[0], shape.kernel[1]};
  return {shape.groups, shape.out_channels / shape.groups, in, shape.kernel[0], shape.kernel[1]};
}

// What the arrays hold.
struct Descriptions {
  explicit Descriptions(const ConvolutionShape& shape)
      : x({shape.batch, shape.in_channels, shape.picture[0], shape.picture[1]}, Type::bf16,
          Layout::nhwc),
        y({shape.batch, shape.out_channels, shape.Result()[0], shape.Result()[1]}, Type::f32,
          Layout::nhwc),
        dy({shape.batch, shape.out_channels, shape.Result()[0], shape.Result()[1]}, Type::bf16,
           Layout::nhwc),
        weights(WeightDims(shape), Type::bf16, Layout::any),
        dweights(WeightDims(shape), Type::f32, Layout::any),
        plain_weights(WeightDims(shape), Type::f32,
                      shape.groups == 1 ? Layout::oihw : Layout::goihw) {}

  dnnl::memory::desc x, y, dy, weights, dweights, plain_weights;
};

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// oneDNN 3 has done away with the descriptions of operations that oneDNN 2 makes a primitive of.
dnnl::convolution_forward::primitive_desc ForwardOf(const ConvolutionShape& shape,
                                                    const Descriptions& d) {
  constexpr auto kKind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {Engine(),
          kKind,
          kDirect,
          d.x,
          d.weights,
          d.y,
          DimsOf(shape.strides),
          DilationsOf(shape),
          DimsOf(shape.begin),
          DimsOf(shape.end)};
#else
  return {{kKind, kDirect, d.x, d.weights, d.y, DimsOf(shape.strides), DilationsOf(shape),
           DimsOf(shape.begin), DimsOf(shape.end)},
          Engine()};
#endif
}

dnnl::convolution_backward_data::primitive_desc BackwardInputOf(
    const ConvolutionShape& shape, const Descriptions& d,
    const dnnl::convolution_forward::primitive_desc& forward) {
#if DNNL_VERSION_MAJOR >= 3
  return {Engine(),
          kDirect,
          d.x,
          d.weights,
          d.dy,
          DimsOf(shape.strides),
          DilationsOf(shape),
          DimsOf(shape.begin),
          DimsOf(shape.end),
          forward};
#else
  return {{kDirect, d.x, d.weights, d.dy, DimsOf(shape.strides), DilationsOf(shape),
           DimsOf(shape.begin), DimsOf(shape.end)},
          Engine(),
          forward};
#endif
}

dnnl::convolution_backward_weights::primitive_desc BackwardWeightsOf(
    const ConvolutionShape& shape, const Descriptions& d,
    const dnnl::convolution_forward::primitive_desc& forward) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return {Engine(),
          kDirect,
          d.x,
          d.dweights,
          d.dy,
          DimsOf(shape.strides),
          DilationsOf(shape),
          DimsOf(shape.begin),
          DimsOf(shape.end),
          forward,
          attributes};
#else
  return {{kDirect, d.x, d.dweights, d.dy, DimsOf(shape.strides), DilationsOf(shape),
           DimsOf(shape.begin), DimsOf(shape.end)},
          attributes,
          Engine(),
          forward};
#endif
}

// oneDNN's primitives made while this lives run on one thread.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

ConvolutionShape WithBatch(ConvolutionShape shape, int64_t batch) {
  shape.batch = batch;
  return shape;
}

// The gradient of the weights for some pictures of a batch, on the calling thread.
class WeightsPass {
 public:
  explicit WeightsPass(const ConvolutionShape& shape)
      : one_(std::make_unique<OneThread>()),
        d_(shape),
        desc_(BackwardWeightsOf(shape, d_, ForwardOf(shape, d_))),
        pass_(desc_) {
    one_.reset();
  }

  void Run(const void* x, const void* dy, float* dweights) const {
    dnnl::memory result(desc_.diff_weights_desc(), Engine());
    pass_.execute(Stream(),
                  {{DNNL_ARG_SRC, Wrap(d_.x, x)},
                   {DNNL_ARG_DIFF_DST, Wrap(d_.dy, dy)},
                   {DNNL_ARG_DIFF_WEIGHTS, result},
                   {DNNL_ARG_SCRATCHPAD, dnnl::memory(desc_.scratchpad_desc(), Engine())}});
    Stream().wait();
    Reorder(result, Wrap(d_.plain_weights, dweights));
  }

 private:
  std::unique_ptr<OneThread> one_;
  Descriptions d_;
  dnnl::convolution_backward_weights::primitive_desc desc_;
  dnnl::convolution_backward_weights pass_;
};

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

namespace {

// The gradient of the weights, each thread with its part of the batch by itself. oneDNN's own way
// has threads wait for each other by spinning: where another process has one of the cores, that
// takes a hundred times as long.
class WeightsParts {
 public:
  explicit WeightsParts(const ConvolutionShape& shape)
      : count_(std::min<int64_t>(shape.batch, omp_get_max_threads())),
        smaller_(WithBatch(shape, shape.batch / count_)),
        weights_(shape.out_channels * (shape.in_channels / shape.groups) * shape.kernel[0] *
                 shape.kernel[1]),
        larger_parts_(shape.batch % count_),
        smaller_batch_(shape.batch / count_),
        x_picture_(shape.in_channels * shape.picture[0] * shape.picture[1]),
        dy_picture_(shape.out_channels * shape.Result()[0] * shape.Result()[1]) {
    if (larger_parts_ > 0) larger_.emplace(WithBatch(shape, smaller_batch_ + 1));
  }

  void Run(const void* x, const void* dy, float* dweights) const {
    // The first part's go where they belong.
    std::vector<float> others(static_cast<size_t>((count_ - 1) * weights_));
#pragma omp parallel for
    for (int64_t part = 0; part < count_; ++part) {
      const int64_t first = part * smaller_batch_ + std::min(part, larger_parts_);
      const WeightsPass& pass = part < larger_parts_ ? *larger_ : smaller_;
      pass.Run(static_cast<const uint16_t*>(x) + first * x_picture_,
               static_cast<const uint16_t*>(dy) + first * dy_picture_,
               part == 0 ? dweights : others.data() + (part - 1) * weights_);
    }
#pragma omp parallel for
    for (int64_t i = 0; i < weights_; ++i) {
      for (int64_t part = 1; part < count_; ++part) {
        dweights[i] += others[static_cast<size_t>((part - 1) * weights_ + i)];
      }
    }
  }

 private:
  int64_t count_;
  WeightsPass smaller_;
  std::optional<WeightsPass> larger_;  // with one picture more
  int64_t weights_;
  int64_t larger_parts_;  // the first ones
  int64_t smaller_batch_;
  int64_t x_picture_;  // elements
  int64_t dy_picture_;
};

}  // namespace

struct Bf16Convolution::Passes {
  explicit Passes(const ConvolutionShape& shape)
      : d(shape),
        forward_desc(ForwardOf(shape, d)),
        input_desc(BackwardInputOf(shape, d, forward_desc)),
        forward(forward_desc),
        backward_input(input_desc),
        parts(shape) {}

  Descriptions d;
  dnnl::convolution_forward::primitive_desc forward_desc;
  dnnl::convolution_backward_data::primitive_desc input_desc;
  dnnl::convolution_forward forward;
  dnnl::convolution_backward_data backward_input;
  WeightsParts parts;
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

void Bf16Convolution::PackForward(const float* weights, void* packed) const {
  Reorder(Wrap(passes_->d.plain_weights, weights),
          Wrap(passes_->forward_desc.weights_desc(), packed));
}

void Bf16Convolution::PackBackward(const float* weights, void* packed) const {
  Reorder(Wrap(passes_->d.plain_weights, weights),
          Wrap(passes_->input_desc.weights_desc(), packed));
}

void Bf16Convolution::Forward(const void* x, const void* packed, float* y) const {
  passes_->forward.execute(Stream(),
                           {{DNNL_ARG_SRC, Wrap(passes_->d.x, x)},
                            {DNNL_ARG_WEIGHTS, Wrap(passes_->forward_desc.weights_desc(), packed)},
                            {DNNL_ARG_DST, Wrap(passes_->d.y, y)}});
  Stream().wait();
}

void Bf16Convolution::BackwardInput(const void* dy, const void* packed, void* dx) const {
  passes_->backward_input.execute(
      Stream(), {{DNNL_ARG_DIFF_DST, Wrap(passes_->d.dy, dy)},
                 {DNNL_ARG_WEIGHTS, Wrap(passes_->input_desc.weights_desc(), packed)},
                 {DNNL_ARG_DIFF_SRC, Wrap(passes_->d.x, dx)}});
  Stream().wait();
}

void Bf16Convolution::BackwardWeights(const void* x, const void* dy, float* dweights) const {
  passes_->parts.Run(x, dy, dweights);
}

}  // namespace quantry::engine
