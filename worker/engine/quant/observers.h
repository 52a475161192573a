#ifndef QUANTRY_WORKER_ENGINE_QUANT_OBSERVERS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_OBSERVERS_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {

// The observers behind QuantizerDef::observe and ::start, each pair in the file of its name. m below
// is MagnitudesOf(x). All work on every element of m by itself.

// s = m. A weight's s follows the weight. Activations are quantized with the m of their own batch,
// and the largest of all is kept for evaluation and export, where s has to be one number. Started
// from a threshold, larger ones that training sees still raise it.
at::Tensor ObserveAbsMax(const at::Tensor& x, const ObserveOptions& options,
                         const ObserverState& state);
void StartAbsMax(const at::Tensor& threshold, const ObserveOptions& options,
                 const ObserverState& state);

// state = r * state + 1; accum = r * accum + m; s = accum / state, before the tensor that was seen
// is quantized (PaddleSlim's recurrence). state and accum start at 0, so that the start value of s
// leaves no trace, or with reference_start both at 1, as there. Started from a threshold, the sums
// are those of as many tensors of exactly that magnitude.
at::Tensor ObserveMovingAverage(const at::Tensor& x, const ObserveOptions& options,
                                const ObserverState& state);
void StartMovingAverage(const at::Tensor& threshold, const ObserveOptions& options,
                        const ObserverState& state);

// Over a ring of the last m (Paddle's FakeQuantizeRangeAbsMax): the oldest entry of a full ring is
// replaced by m; with `last` the s from before, s = m if last < m; else, if the entry that left was
// `last` up to 1e-6, the largest entry of the min(count, window) first ones; else `last`. As long
// as the ring is not full, 0 leaves it. The first `last` is 0, or with reference_start
// kStartThreshold. Started from a threshold, that is the only entry of the ring.
at::Tensor ObserveRange(const at::Tensor& x, const ObserveOptions& options,
                        const ObserverState& state);
void StartRange(const at::Tensor& threshold, const ObserveOptions& options,
                const ObserverState& state);

// Start of a learned step size (LSQ): 2 * mean|x| / sqrt(q), q = QuantMax(bits), averaged over the
// tensors seen; started from a threshold s, s / q. At least kSmallestStep. Asymmetric, as
// ObserveLearnedRange keeps count: the zero point is that of the mean reach below and above 0 (0
// where nothing was negative, and then the integers are the paper's [0, 2^bits - 1]), it stays, and
// q is the larger number of integers on one side of it.
at::Tensor ObserveLearnedStep(const at::Tensor& x, const ObserveOptions& options,
                              const ObserverState& state);
void StartLearnedStep(const at::Tensor& threshold, const ObserveOptions& options,
                      const ObserverState& state);

// Start of a learned range (LSQ+): with b and a the mean reach below and above 0 over the tensors
// seen, or the two given thresholds, the step is (b + a) / (2^bits - 1), at least kSmallestStep, and
// the offset -b. `accum` is {sum of b, sum of a, sum of mean|x|}, `state` the tensors seen.
at::Tensor ObserveLearnedRange(const at::Tensor& x, const ObserveOptions& options,
                               const ObserverState& state);
void StartLearnedRange(const at::Tensor& threshold, const ObserveOptions& options,
                       const ObserverState& state);

// The size of `accum` for observers that keep a learned range.
inline constexpr int64_t kLearnedRangeSums = 3;

// max|x| of the last tensor seen, for quantizers that keep it from then on (DoReFa).
at::Tensor ObserveMagnitudeOnce(const at::Tensor& x, const ObserveOptions& options,
                                const ObserverState& state);

// What the observers of ranges look at: max|x| over everything or per channel, as AbsMaxOf;
// asymmetric: {max(0, -min x), max(0, max x)}. NaN in x gives NaN.
at::Tensor MagnitudesOf(const at::Tensor& x, const ObserveOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_OBSERVERS_H_
