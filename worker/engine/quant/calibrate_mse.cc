#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/engine/quant/calibrator.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

constexpr double kBinsPerExactStep = 4;

// Some elements that count as one value.
struct Point {
  double value = 0;
  double count = 0;
};

std::vector<Point> PointsOf(const Histogram& histogram) {
  std::vector<Point> points;
  const auto add = [&](absl::Span<const int64_t> bins, double sign) {
    for (size_t i = 0; i < bins.size(); ++i) {
      if (bins[i] == 0) continue;
      const double centre = (static_cast<double>(i) + 0.5) * histogram.width();
      points.push_back({sign * centre, static_cast<double>(bins[i])});
    }
  };
  add(histogram.below(), -1);
  add(histogram.above(), 1);
  return points;
}

// The grid that QParamsOfThresholds and QParamsOfRange make, in double.
struct Levels {
  double step = 1;
  double low = 0;
  double high = 0;
};

Levels LevelsOf(const ClippingRange& range, const CalibrationGoal& goal) {
  if (goal.symmetric) return {range.above / QuantMax(goal.bits), -range.above, range.above};
  const double top = UnsignedMax(goal.bits);
  const double step = (range.below + range.above) / top;
  const double zero_point = step > 0 ? std::nearbyint(range.below / step) : 0;
  return {step, -zero_point * step, (top - zero_point) * step};
}

double ErrorOf(double value, const Levels& levels, bool exact) {
  if (value < levels.low) return (levels.low - value) * (levels.low - value);
  if (value > levels.high) return (value - levels.high) * (value - levels.high);
  if (!exact) return levels.step * levels.step / 12;
  const double error = std::nearbyint(value / levels.step) * levels.step - value;
  return error * error;
}

}  // namespace

ClippingRange FindMeanSquaredError(const Histogram& histogram, const CalibrationGoal& goal) {
  const std::vector<Point> points = PointsOf(histogram);
  return SearchRange(histogram, goal.symmetric, [&](const ClippingRange& range) {
    const Levels levels = LevelsOf(range, goal);
    const bool exact = levels.step >= kBinsPerExactStep * histogram.width();
    double total = 0;
    for (const Point& point : points) total += point.count * ErrorOf(point.value, levels, exact);
    return total;
  });
}

}  // namespace quantry::engine
