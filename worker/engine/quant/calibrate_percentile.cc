#include <algorithm>
#include <vector>

#include "worker/engine/quant/calibrator.h"

namespace quantry::engine {
namespace {

// The magnitude above which `cut` elements lie. `largest` is the exact largest one.
double Above(absl::Span<const int64_t> bins, double width, double cut, double largest) {
  double beyond = 0;
  for (size_t i = bins.size(); i-- > 0;) {
    const auto here = static_cast<double>(bins[i]);
    if (beyond + here > cut) {
      const double threshold = width * (static_cast<double>(i + 1) - (cut - beyond) / here);
      return std::min(threshold, largest);
    }
    beyond += here;
  }
  // Fewer than that many are not 0.
  return largest;
}

}  // namespace

ClippingRange FindPercentile(const Histogram& histogram, const CalibrationGoal& goal) {
  const double below = histogram.largest_below(), above = histogram.largest_above();
  const double cut = (1 - goal.percentile / 100) * static_cast<double>(histogram.count());
  if (goal.symmetric) {
    const std::vector<int64_t> magnitudes = histogram.Magnitudes();
    const double s = Above(magnitudes, histogram.width(), cut, std::max(below, above));
    return {s, s};
  }
  const double share = below > 0 && above > 0 ? cut / 2 : cut;
  return {Above(histogram.below(), histogram.width(), share, below),
          Above(histogram.above(), histogram.width(), share, above)};
}

}  // namespace quantry::engine
