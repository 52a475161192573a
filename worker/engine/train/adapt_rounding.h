#ifndef QUANTRY_WORKER_ENGINE_TRAIN_ADAPT_ROUNDING_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_ADAPT_ROUNDING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/train/calibrate.h"

namespace quantry::engine {

// Adaptive rounding (Nagel et al. 2020, "Up or Down? Adaptive Rounding for Post-Training
// Quantization", section 3.2): each weight goes to the integer below or above it, whichever lets
// the layer's output on real inputs x change least,
//   min E[(W~ x - W x)^2] = min over rows e of W~ - W of  e H e',  H = E[x x'].
// The paper relaxes this problem and descends its gradient; here it is descended directly, from
// rounding to nearest on: per row the one weight is turned whose turn takes most off e H e', until
// none does. H is of the float x over the first `batches` batches of epoch 0 of `loader`.
//
// `graph` must have calibrated FakeQuantize nodes. The weights of Conv layers with two spatial axes
// and of Gemm layers become the values that they are quantized to; steps stay. Others, those of
// DoReFa and those with more than kLargestFanIn inputs to an output are left alone. Returns the
// SQNR (see MeasureSqnr) of each weight changed against what it was, by FakeQuantize node: the
// graph itself tells it no more. `observer` as for Calibrate; asked for each layer again, too.
absl::StatusOr<std::map<std::string, double>> AdaptRounding(
    Graph& graph, Loader& loader, int64_t batches, const CalibrationObserver& observer = nullptr);

inline constexpr int64_t kLargestFanIn = 8192;

// Each of `rows`, [n, k], in units of its step, rounded to whole numbers in [qmin, qmax], every
// element to one of its two neighbours so that e H e' is small. `gram`: H, [k, k]. float64.
at::Tensor RoundAdaptively(const at::Tensor& rows, const at::Tensor& gram, int64_t qmin,
                           int64_t qmax);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_ADAPT_ROUNDING_H_
