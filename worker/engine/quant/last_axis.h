#ifndef QUANTRY_WORKER_ENGINE_QUANT_LAST_AXIS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_LAST_AXIS_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/quant/qparams.h"

namespace quantry::engine {

// What quant/fake_quantize.h and abs_max.h do, for tensors whose channels are neighbours in memory:
// there a run of one channel is a single element. All results are the same however many threads
// there are.

// Whether a dense float32 tensor on the CPU is one of them.
bool HasChannelsLast(const at::Tensor& x, int64_t axis);

// Rounds halves to even, whatever `qparams` say.
at::Tensor QuantizeLastAxis(const at::Tensor& x, const QParams& qparams);
// Of x from dy, which lies in memory as x does.
at::Tensor MaskLastAxis(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams);
// Of the steps, before their factor: [C]. Derivatives of clipped values: `below` and `above`.
at::Tensor StepGradientLastAxis(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams,
                                double below, double above);
// [C].
at::Tensor AbsMaxLastAxis(const at::Tensor& x, int64_t channels);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_LAST_AXIS_H_
