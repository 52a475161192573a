#ifndef QUANTRY_WORKER_ENGINE_KERNELS_CUDA_CHAIN_FORMULA_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_CUDA_CHAIN_FORMULA_H_

#include <cmath>

#include "worker/engine/kernels/chain.h"

#ifdef __CUDACC__
#define QUANTRY_HOST_DEVICE __host__ __device__
#else
#define QUANTRY_HOST_DEVICE
#endif

namespace quantry::engine {

// The steps of a chain (kernels/chain.h) for one element, names as there: what CUDA's kernels
// compute, and, as ordinary C++, what a machine without a GPU can compare with the CPU's kernels.
// Products and sums are rounded one by one but where fma stands, as on the CPU.

// What all elements have in common, known on the host.
struct ChainForm {
  bool has_inner = false;
  bool has_operand = false;
  bool has_outer = false;
  bool gives_integers = false;
  float operand_step = 1;
  ChainActivation activation = ChainActivation::kClamp;
  float slope = 0;
  float offset = 0;
  float low = 0;
  float high = 0;
  float gradient_low = 0;
  float gradient_high = 0;

  static ChainForm Of(const ElementwiseChain& chain, bool has_operand) {
    return {chain.has_inner,    has_operand,      chain.has_outer,    chain.gives_integers,
            chain.operand_step, chain.activation, chain.slope,        chain.offset,
            chain.low,          chain.high,       chain.gradient_low, chain.gradient_high};
  }
};

// What an element's channel has.
struct ChannelNumbers {
  float mean = 0;
  float scale = 1;
  float shift = 0;
};

// NaN stays NaN.
QUANTRY_HOST_DEVICE inline float ClampTo(float v, float low, float high) {
  return v < low ? low : (v > high ? high : v);
}

QUANTRY_HOST_DEVICE inline float CountOnGrid(float v, const ChainGrid& grid) {
  return rintf(ClampTo(v, grid.low, grid.high) / grid.step);
}

QUANTRY_HOST_DEVICE inline bool IsInside(float v, const ChainGrid& grid) {
  return v >= grid.low && v <= grid.high;
}

QUANTRY_HOST_DEVICE inline float SigmoidAt(float v) {
  const float e = expf(-fabsf(v));
  return (v < 0 ? e : 1.0f) / (1.0f + e);
}

// sqrt(8 / pi) * (v + 0.044715 v^3), and its derivative.
QUANTRY_HOST_DEVICE inline float GeluCubic(float v) {
  return 1.5957691f * (v * fmaf(v * v, 0.044715f, 1.0f));
}
QUANTRY_HOST_DEVICE inline float GeluCubicSlope(float v) {
  return 1.5957691f * fmaf(v * v, 0.134145f, 1.0f);
}

// How much of the normal distribution lies below v, and its density there.
QUANTRY_HOST_DEVICE inline float NormalBelow(float v) { return 0.5f * erfcf(-0.70710678f * v); }
QUANTRY_HOST_DEVICE inline float NormalDensity(float v) {
  return 0.39894228f * expf(-0.5f * (v * v));
}

// w of v.
QUANTRY_HOST_DEVICE inline float ActivationAt(const ChainForm& form, float v) {
  switch (form.activation) {
    case ChainActivation::kHardSwish:
      return v * ClampTo(fmaf(v, 1.0f / 6.0f, 0.5f), 0.0f, 1.0f);
    case ChainActivation::kHardSigmoid:
      return ClampTo(fmaf(v, form.slope, form.offset), 0.0f, 1.0f);
    case ChainActivation::kSigmoid:
      return v != v ? v : SigmoidAt(v);
    case ChainActivation::kSilu:
      return v * SigmoidAt(v);
    case ChainActivation::kGelu:
      return v * NormalBelow(v);
    case ChainActivation::kGeluTanh:
      return v * SigmoidAt(GeluCubic(v));
    case ChainActivation::kLeakyRelu:
      return v < 0 ? form.slope * v : v;
    case ChainActivation::kClamp:
      break;
  }
  return ClampTo(v, form.low, form.high);
}

// Its derivative at v; of a clamp 0 beyond its gradient's bounds.
QUANTRY_HOST_DEVICE inline float ActivationSlope(const ChainForm& form, float v) {
  switch (form.activation) {
    case ChainActivation::kHardSwish:
      if (v <= -3.0f) return 0.0f;
      return v >= 3.0f ? 1.0f : fmaf(v, 1.0f / 3.0f, 0.5f);
    case ChainActivation::kHardSigmoid: {
      const float line = fmaf(v, form.slope, form.offset);
      return line > 0.0f && line < 1.0f ? form.slope : 0.0f;
    }
    case ChainActivation::kSigmoid: {
      const float s = SigmoidAt(v);
      return s * (1.0f - s);
    }
    case ChainActivation::kSilu: {
      const float s = SigmoidAt(v);
      return s * fmaf(v, 1.0f - s, 1.0f);
    }
    case ChainActivation::kGelu:
      return fmaf(v, NormalDensity(v), NormalBelow(v));
    case ChainActivation::kGeluTanh: {
      const float s = SigmoidAt(GeluCubic(v));
      return fmaf(v, s * (1.0f - s) * GeluCubicSlope(v), s);
    }
    case ChainActivation::kLeakyRelu:
      return v > 0 ? 1.0f : form.slope;
    case ChainActivation::kClamp:
      break;
  }
  return v >= form.gradient_low && v <= form.gradient_high ? 1.0f : 0.0f;
}

// The values of an element on its way through the chain, and the gradients on the way back.
struct ChainElement {
  float distance;  // x - mean
  float t, v, w;

  QUANTRY_HOST_DEVICE ChainElement(const ChainForm& form, const ChannelNumbers& channel,
                                   const ChainGrid& inner, float x, float r) {
    distance = x - channel.mean;
    t = fmaf(channel.scale, distance, channel.shift);
    v = form.has_inner ? CountOnGrid(t, inner) * inner.step : t;
    if (form.has_operand) v = v + r * form.operand_step;
    w = ActivationAt(form, v);
  }

  QUANTRY_HOST_DEVICE float Result(const ChainForm& form, const ChainGrid& outer) const {
    if (!form.has_outer) return w;
    const float count = CountOnGrid(w, outer);
    return form.gives_integers ? count : count * outer.step;
  }

  // The gradient of v from that of the result; of t from that of v.
  QUANTRY_HOST_DEVICE float BackToSum(const ChainForm& form, const ChainGrid& outer,
                                      float dy) const {
    if (form.has_outer && !IsInside(w, outer)) return 0.0f;
    const float slope = ActivationSlope(form, v);
    if (form.activation == ChainActivation::kClamp) return slope == 0.0f ? 0.0f : dy;
    return dy * slope;
  }
  QUANTRY_HOST_DEVICE float BackToAffine(const ChainForm& form, const ChainGrid& inner,
                                         float of_sum) const {
    return form.has_inner && !IsInside(t, inner) ? 0.0f : of_sum;
  }
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CUDA_CHAIN_FORMULA_H_
