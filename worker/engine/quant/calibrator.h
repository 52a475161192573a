#ifndef QUANTRY_WORKER_ENGINE_QUANT_CALIBRATOR_H_
#define QUANTRY_WORKER_ENGINE_QUANT_CALIBRATOR_H_

#include <functional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/quant/histogram.h"

namespace quantry::engine {

// What a threshold is wanted for.
struct CalibrationGoal {
  int bits = 8;              // 2..16
  bool symmetric = true;     // [-s, s] on integers in [-q, q]; else a range of its own on 2^bits
  double percentile = 99.99;  // "percentile" only: share of |x| that is kept, in (50, 100]
};

// The range [-below, above]; symmetric: both are s.
struct ClippingRange {
  double below = 0;
  double above = 0;
};

// One way of choosing the range from how values are spread. The instances are the lines of
// CalibratorTable(); a new one costs a file and a line.
struct CalibratorDef {
  absl::string_view name;  // as in quant_config
  // Weights, too, if their quantizer's threshold is free; else they start as with "abs_max".
  bool for_weights = false;
  // Null: what the quantizer itself observes is taken as it is, and no histogram is needed.
  ClippingRange (*find)(const Histogram& histogram, const CalibrationGoal& goal) = nullptr;
};

absl::Span<const CalibratorDef> CalibratorTable();

// Null if there is none of this name.
const CalibratorDef* FindCalibrator(absl::string_view name);

// The calibrators, each in the file of its name. All leave the range at the largest values where
// nothing but 0 would be left of the tensor.

// Cuts off 100 - percentile % of the elements: the largest magnitudes, or, asymmetric, half of them
// at each end, all at one where nothing lies beyond 0 at the other. Linear within a bin.
ClippingRange FindPercentile(const Histogram& histogram, const CalibrationGoal& goal);

// Smallest mean squared error of what quantizing makes of the values. Exact zeros have none. Bins
// stand for their centres; where a step is not at least four bins wide, for step^2 / 12.
ClippingRange FindMeanSquaredError(const Histogram& histogram, const CalibrationGoal& goal);

// Smallest Kullback-Leibler divergence of the quantized distribution from that of the values with
// what is clipped added to the outermost bins (Migacz, "8-bit inference with TensorRT", 2017).
// Exact zeros are left out, since every grid has 0. From 14 bits on there are more integers than
// bins, and the range is the largest.
ClippingRange FindKlDivergence(const Histogram& histogram, const CalibrationGoal& goal);

// The range of the smallest cost, among those that end at the largest values times 2^(-k/16) over
// 12 octaves, then among linear steps around it. Asymmetric: both ends together first, then one
// after the other as long as that helps. Of equal costs the widest range wins; infinite costs never.
ClippingRange SearchRange(const Histogram& histogram, bool symmetric,
                          const std::function<double(const ClippingRange&)>& cost);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_CALIBRATOR_H_
