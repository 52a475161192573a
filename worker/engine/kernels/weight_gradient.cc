#include "worker/engine/kernels/weight_gradient.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "worker/engine/kernels/depthwise_gradient.h"
#include "worker/engine/kernels/onednn.h"

namespace quantry::engine {
namespace {

dnnl::convolution_backward_weights::primitive_desc BackwardWeightsOf(
    const ConvolutionShape& shape, const ConvolutionArrays& d,
    const dnnl::convolution_forward::primitive_desc& forward) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return {OneDnnEngine(),
          dnnl::algorithm::convolution_direct,
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
  return {{dnnl::algorithm::convolution_direct, d.x, d.dweights, d.dy, DimsOf(shape.strides),
           DilationsOf(shape), DimsOf(shape.begin), DimsOf(shape.end)},
          attributes,
          OneDnnEngine(),
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

  // Whether this is oneDNN's way for depthwise convolutions.
  bool IsDepthwiseWay() const { return std::strstr(desc_.impl_info_str(), "dw") != nullptr; }

  void Run(const void* x, const void* dy, float* dweights) const {
    dnnl::memory result(desc_.diff_weights_desc(), OneDnnEngine());
    pass_.execute(OneDnnStream(),
                  {{DNNL_ARG_SRC, Wrap(d_.x, x)},
                   {DNNL_ARG_DIFF_DST, Wrap(d_.dy, dy)},
                   {DNNL_ARG_DIFF_WEIGHTS, result},
                   {DNNL_ARG_SCRATCHPAD, dnnl::memory(desc_.scratchpad_desc(), OneDnnEngine())}});
    OneDnnStream().wait();
    Reorder(result, Wrap(d_.plain_gradient, dweights));
  }

 private:
  std::unique_ptr<OneThread> one_;
  ConvolutionArrays d_;
  dnnl::convolution_backward_weights::primitive_desc desc_;
  dnnl::convolution_backward_weights pass_;
};

// The gradient of the weights, each thread with its part of the batch by itself. oneDNN's own way
// has threads wait for each other by spinning: where another process has one of the cores, that
// takes a hundred times as long.
class PartsOfBatch : public WeightGradient {
 public:
  explicit PartsOfBatch(const ConvolutionShape& shape)
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

  bool IsDepthwiseWay() const { return smaller_.IsDepthwiseWay(); }

  void Run(const void* x, const void* dy, float* dweights) const override {
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

// The gradient as one product of matrices, sums over places: dy transposed times what the kernel
// sees at each place. Where pictures are small oneDNN's convolutions go over the whole gradient for
// each of them; this one writes it once.
class MatrixProduct : public WeightGradient {
 public:
  explicit MatrixProduct(const ConvolutionShape& shape)
      : shape_(shape), rows_(PlacesOf(shape)), columns_(ColumnsOf(shape)), pass_(DescriptionOf()) {}

  static int64_t BytesSeen(const ConvolutionShape& shape) {
    return PlacesOf(shape) * ColumnsOf(shape) * static_cast<int64_t>(sizeof(uint16_t));
  }

  // A kernel of one element sees x as it lies.
  static bool SeesPlain(const ConvolutionShape& shape) {
    using Two = std::array<int64_t, 2>;
    return shape.kernel == Two{1, 1} && shape.strides == Two{1, 1} && shape.begin == Two{0, 0} &&
           shape.end == Two{0, 0};
  }

  void Run(const void* x, const void* dy, float* dweights) const override {
    std::vector<uint16_t> seen;
    if (!SeesPlain(shape_)) {
      seen.resize(static_cast<size_t>(rows_ * columns_));
      See(static_cast<const uint16_t*>(x), seen.data());
    }
    const bool ordered = shape_.kernel[0] * shape_.kernel[1] == 1;
    std::vector<float> by_place(ordered ? 0 : static_cast<size_t>(shape_.out_channels * columns_));
    float* product = ordered ? dweights : by_place.data();
    const auto [left, right, result] = Arrays();
    pass_.execute(OneDnnStream(), {{DNNL_ARG_SRC, Wrap(left, dy)},
                                   {DNNL_ARG_WEIGHTS, Wrap(right, seen.empty() ? x : seen.data())},
                                   {DNNL_ARG_DST, Wrap(result, product)}});
    OneDnnStream().wait();
    if (ordered) return;
    const ConvolutionArrays arrays(shape_);
    const dnnl::memory::desc channels_last(
        arrays.plain_gradient.dims(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::ohwi);
    Reorder(Wrap(channels_last, product), Wrap(arrays.plain_gradient, dweights));
  }

 private:
  struct Matrices {
    dnnl::memory::desc left, right, result;
  };

  static int64_t PlacesOf(const ConvolutionShape& shape) {
    return shape.batch * shape.Result()[0] * shape.Result()[1];
  }
  static int64_t ColumnsOf(const ConvolutionShape& shape) {
    return shape.kernel[0] * shape.kernel[1] * shape.in_channels;
  }

  Matrices Arrays() const {
    using dnnl::memory;
    constexpr auto kBf16 = memory::data_type::bf16;
    const int64_t out = shape_.out_channels;
    return {memory::desc({out, rows_}, kBf16, memory::dims{1, out}),
            memory::desc({rows_, columns_}, kBf16, memory::dims{columns_, 1}),
            memory::desc({out, columns_}, memory::data_type::f32, memory::dims{columns_, 1})};
  }

  dnnl::matmul::primitive_desc DescriptionOf() const {
    const auto [left, right, result] = Arrays();
#if DNNL_VERSION_MAJOR >= 3
    return {OneDnnEngine(), left, right, result};
#else
    return {{left, right, result}, OneDnnEngine()};
#endif
  }

  // Row by row what the kernel sees at each place: [kernel height, kernel width, in_channels],
  // zeros where it hangs over.
  void See(const uint16_t* x, uint16_t* seen) const {
    const auto [height, width] = shape_.Result();
#pragma omp parallel for
    for (int64_t row = 0; row < rows_; ++row) {
      const int64_t picture = row / (height * width);
      const int64_t top = row / width % height * shape_.strides[0] - shape_.begin[0];
      const int64_t left = row % width * shape_.strides[1] - shape_.begin[1];
      const uint16_t* from =
          x + picture * shape_.picture[0] * shape_.picture[1] * shape_.in_channels;
      uint16_t* to = seen + row * columns_;
      for (int64_t i = 0; i < shape_.kernel[0]; ++i) {
        for (int64_t j = 0; j < shape_.kernel[1]; ++j, to += shape_.in_channels) {
          SeeOne(from, top + i * shape_.dilations[0], left + j * shape_.dilations[1], to);
        }
      }
    }
  }

  void SeeOne(const uint16_t* picture, int64_t y, int64_t x, uint16_t* to) const {
    const size_t bytes = static_cast<size_t>(shape_.in_channels) * sizeof(uint16_t);
    const bool inside = y >= 0 && y < shape_.picture[0] && x >= 0 && x < shape_.picture[1];
    if (!inside) {
      std::memset(to, 0, bytes);
    } else {
      std::memcpy(to, picture + (y * shape_.picture[1] + x) * shape_.in_channels, bytes);
    }
  }

  ConvolutionShape shape_;
  int64_t rows_;
  int64_t columns_;
  dnnl::matmul pass_;
};

// The gradient of depthwise weights that oneDNN has no way of its own for (all but 3 x 3): its
// general one takes a hundred times as long.
class Depthwise : public WeightGradient {
 public:
  explicit Depthwise(const ConvolutionShape& shape)
      : shape_(shape),
        parts_(std::min<int64_t>(shape.batch, omp_get_max_threads())),
        places_(shape.kernel[0] * shape.kernel[1]) {}

  void Run(const void* x, const void* dy, float* dweights) const override {
    const int64_t channels = shape_.out_channels;
    std::vector<float> sums(static_cast<size_t>(parts_ * places_ * channels));
    const int64_t blocks = (channels + kBlock - 1) / kBlock;
#pragma omp parallel for
    for (int64_t task = 0; task < parts_ * blocks; ++task) {
      SumPart({x, ElementType::kBf16}, {dy, ElementType::kBf16}, task / blocks,
              task % blocks * kBlock, sums.data());
    }
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t place = 0; place < places_; ++place) {
        float sum = 0;
        for (int64_t part = 0; part < parts_; ++part) {
          sum += sums[static_cast<size_t>((part * places_ + place) * channels + c)];
        }
        dweights[c * places_ + place] = sum;
      }
    }
  }

 private:
  static constexpr int64_t kBlock = 64;  // channels of a task

  void SumPart(ConstElements x, ConstElements dy, int64_t part, int64_t channel,
               float* sums) const {
    const int64_t first = part * shape_.batch / parts_;
    const int64_t pictures = (part + 1) * shape_.batch / parts_ - first;
    const auto [height, width] = shape_.Result();
    DepthwiseWeightSums(shape_,
                        From(x, first * shape_.picture[0] * shape_.picture[1] * shape_.in_channels),
                        From(dy, first * height * width * shape_.out_channels), pictures, channel,
                        std::min(kBlock, shape_.out_channels - channel),
                        sums + part * places_ * shape_.out_channels);
  }

  ConvolutionShape shape_;
  int64_t parts_;
  int64_t places_;
};

// What a kernel sees in all is written and read once more: it has to stay in the caches.
constexpr int64_t kMostBytesSeen = 6 << 20;

}  // namespace

std::unique_ptr<const WeightGradient> MakeWeightGradient(const ConvolutionShape& shape) {
  const bool plain = MatrixProduct::SeesPlain(shape);
  if (shape.groups == 1 && (plain || MatrixProduct::BytesSeen(shape) <= kMostBytesSeen)) {
    return std::make_unique<const MatrixProduct>(shape);
  }
  auto parts = std::make_unique<const PartsOfBatch>(shape);
  if (IsDepthwise(shape) && !parts->IsDepthwiseWay()) {
    return std::make_unique<const Depthwise>(shape);
  }
  return parts;
}

}  // namespace quantry::engine
