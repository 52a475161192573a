#ifndef QUANTRY_WORKER_ENGINE_QUANT_OBSERVERS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_OBSERVERS_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {

// The observers behind QuantizerDef::observe, each in the file of its name. m below is
// MagnitudesOf(x). All work on every element of m by itself.

// s = m. A weight's s follows the weight. Activations are quantized with the m of their own batch,
// and the largest of all is kept for evaluation and export, where s has to be one number.
at::Tensor ObserveAbsMax(const at::Tensor& x, const ObserveOptions& options,
                         const ObserverState& state);

// state = r * state + 1; accum = r * accum + m; s = accum / state, before the tensor that was seen
// is quantized (PaddleSlim's recurrence). state and accum start at 0, so that the start value of s
// leaves no trace.
at::Tensor ObserveMovingAverage(const at::Tensor& x, const ObserveOptions& options,
                                const ObserverState& state);

// Over a ring of the last m (Paddle's FakeQuantizeRangeAbsMax): the oldest entry of a full ring is
// replaced by m; with `last` the s from before, s = m if last < m; else, if the entry that left was
// `last` up to 1e-6, the largest entry of the min(count, window) first ones; else `last`. As long
// as the ring is not full, 0 leaves it.
at::Tensor ObserveRange(const at::Tensor& x, const ObserveOptions& options,
                        const ObserverState& state);

// Start of a learned step size (LSQ): 2 * mean|x| / sqrt(q), q = QuantMax(bits), averaged over the
// tensors seen. At least kSmallestStep.
at::Tensor ObserveLearnedStep(const at::Tensor& x, const ObserveOptions& options,
                              const ObserverState& state);

// What the observers of ranges look at: max|x| over everything or per channel, as AbsMaxOf;
// asymmetric: {max(0, -min x), max(0, max x)}.
at::Tensor MagnitudesOf(const at::Tensor& x, const ObserveOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_OBSERVERS_H_
