#include "worker/engine/quant/calibrator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantry::engine {
namespace {

constexpr CalibratorDef kTable[] = {
    {.name = "abs_max", .for_weights = true},
    {.name = "percentile", .for_weights = true, .find = FindPercentile},
    {.name = "mse", .for_weights = true, .find = FindMeanSquaredError},
    {.name = "kl", .find = FindKlDivergence},
};

constexpr int kOctaves = 12;
constexpr int kPerOctave = 16;
constexpr int kRefinements = 16;
constexpr int kLargestRounds = 4;

// Minimises over one number at a time.
class RangeSearch {
 public:
  RangeSearch(const ClippingRange& widest, const std::function<double(const ClippingRange&)>& cost)
      : widest_(widest), cost_(cost), best_(widest), best_cost_(cost(widest)) {}

  // Shrinks both ends by the same factor.
  void ScanBoth() {
    Scan([this](double factor) {
      return ClippingRange{widest_.below * factor, widest_.above * factor};
    });
  }

  // True if that found a better range.
  bool ScanBelow() {
    const double above = best_.above;
    return Scan([&](double factor) { return ClippingRange{widest_.below * factor, above}; });
  }
  bool ScanAbove() {
    const double below = best_.below;
    return Scan([&](double factor) { return ClippingRange{below, widest_.above * factor}; });
  }

  const ClippingRange& best() const { return best_; }

 private:
  template <typename RangeAt>
  bool Scan(const RangeAt& range_at) {
    const double before = best_cost_;
    double factor = 1;
    for (int k = 0; k <= kOctaves * kPerOctave; ++k) {
      const double candidate = std::exp2(-static_cast<double>(k) / kPerOctave);
      if (Try(range_at(candidate))) factor = candidate;
    }
    const double ratio = std::exp2(1.0 / kPerOctave);
    const double low = factor / ratio, high = std::min(1.0, factor * ratio);
    for (int i = 1; i < kRefinements; ++i) Try(range_at(low + (high - low) * i / kRefinements));
    return best_cost_ < before;
  }

  bool Try(const ClippingRange& range) {
    const double cost = cost_(range);
    if (!(cost < best_cost_)) return false;
    best_cost_ = cost;
    best_ = range;
    return true;
  }

  const ClippingRange widest_;
  const std::function<double(const ClippingRange&)>& cost_;
  ClippingRange best_;
  double best_cost_ = std::numeric_limits<double>::infinity();
};

}  // namespace

absl::Span<const CalibratorDef> CalibratorTable() { return kTable; }

const CalibratorDef* FindCalibrator(absl::string_view name) {
  for (const CalibratorDef& calibrator : kTable) {
    if (calibrator.name == name) return &calibrator;
  }
  return nullptr;
}

ClippingRange SearchRange(const Histogram& histogram, bool symmetric,
                          const std::function<double(const ClippingRange&)>& cost) {
  ClippingRange widest = {histogram.largest_below(), histogram.largest_above()};
  if (symmetric) widest.below = widest.above = std::max(widest.below, widest.above);
  if (widest.below + widest.above <= 0) return widest;
  RangeSearch search(widest, cost);
  search.ScanBoth();
  if (symmetric) return search.best();
  for (int round = 0; round < kLargestRounds; ++round) {
    const bool above = widest.above > 0 && search.ScanAbove();
    const bool below = widest.below > 0 && search.ScanBelow();
    if (!above && !below) break;
  }
  return search.best();
}

}  // namespace quantry::engine
