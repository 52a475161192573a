#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "worker/engine/quant/calibrator.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

// Stands for the probability of what the quantized distribution can't express.
constexpr double kSmallestProbability = 1e-9;

// Bins from the most negative value to the most positive one, or, symmetric, of magnitudes.
struct Axis {
  std::vector<double> counts;
  size_t zero = 0;  // the bin that begins at 0
  double total = 0;
};

Axis AxisOf(const Histogram& histogram, bool symmetric) {
  Axis axis;
  if (symmetric) {
    for (const int64_t count : histogram.Magnitudes()) {
      axis.counts.push_back(static_cast<double>(count));
    }
  } else {
    axis.counts.assign(histogram.below().rbegin(), histogram.below().rend());
    axis.zero = axis.counts.size();
    axis.counts.insert(axis.counts.end(), histogram.above().begin(), histogram.above().end());
  }
  for (const double count : axis.counts) axis.total += count;
  return axis;
}

double Sum(const std::vector<double>& values, size_t begin, size_t end) {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += values[i];
  return sum;
}

// The bins [begin, end) on `levels` integers: KL(P || Q), where P has what lies outside in its
// outermost bins and Q spreads the inside's count per integer evenly over its bins that are not
// empty.
double Divergence(const Axis& axis, size_t begin, size_t end, size_t levels) {
  const double outside_below = Sum(axis.counts, 0, begin);
  const double outside_above = Sum(axis.counts, end, axis.counts.size());
  const double inside = axis.total - outside_below - outside_above;
  if (inside <= 0) return std::numeric_limits<double>::infinity();
  const size_t bins = end - begin;
  double divergence = 0;
  for (size_t level = 0; level < levels; ++level) {
    const size_t first = begin + level * bins / levels;
    const size_t last = begin + (level + 1) * bins / levels;
    double sum = 0, filled = 0;
    for (size_t i = first; i < last; ++i) {
      sum += axis.counts[i];
      filled += axis.counts[i] > 0 ? 1 : 0;
    }
    for (size_t i = first; i < last; ++i) {
      double count = axis.counts[i];
      if (i == begin) count += outside_below;
      if (i + 1 == end) count += outside_above;
      if (count == 0) continue;
      const double p = count / axis.total;
      const double q = axis.counts[i] > 0 ? sum / filled / inside : kSmallestProbability;
      divergence += p * std::log(p / q);
    }
  }
  return divergence;
}

}  // namespace

ClippingRange FindKlDivergence(const Histogram& histogram, const CalibrationGoal& goal) {
  const Axis axis = AxisOf(histogram, goal.symmetric);
  const auto levels =
      static_cast<size_t>(goal.symmetric ? QuantMax(goal.bits) + 1 : UnsignedMax(goal.bits) + 1);
  const double width = histogram.width();
  return SearchRange(histogram, goal.symmetric, [&](const ClippingRange& range) {
    const auto bins_of = [&](double end) {
      return std::min(static_cast<size_t>(std::ceil(end / width)),
                      static_cast<size_t>(Histogram::kBins));
    };
    const size_t begin = goal.symmetric ? 0 : axis.zero - bins_of(range.below);
    const size_t end = axis.zero + bins_of(range.above);
    if (end - begin < levels) return std::numeric_limits<double>::infinity();
    return Divergence(axis, begin, end, levels);
  });
}

}  // namespace quantry::engine
