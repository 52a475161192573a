#ifndef QUANTRY_WORKER_TRAINER_HTML_CHART_H_
#define QUANTRY_WORKER_TRAINER_HTML_CHART_H_

#include <cstdint>
#include <string>
#include <vector>

namespace quantry::trainer {

// Pictures for the report as inline SVG. Colours are CSS classes of style.h, so that they follow
// the page from light to dark and onto paper. Values that are not finite are left out.

struct ChartPoint {
  double x = 0;
  double y = 0;
};

// One line; a single point becomes a dot.
struct ChartSeries {
  std::string name;  // in the legend; escaped here
  std::vector<ChartPoint> points;
};

struct ChartOptions {
  std::string title;     // above the chart; escaped here
  std::string x_label;   // below the axis
  bool percent = false;  // y is a share in [0, 1]
  bool whole_x = false;  // x is counted: no ticks between whole numbers
};

// Lines over a common x axis with a grid and a legend; at most four series have colours of their
// own. Empty where there is no point.
std::string LineChart(const std::vector<ChartSeries>& series, const ChartOptions& options);

// Round numbers that divide [low, high] into about `count` parts, none outside. Empty unless
// low < high.
std::vector<double> TickValues(double low, double high, int count);

struct HistogramData {
  double min = 0;  // bins of equal width from min to max
  double max = 0;
  std::vector<int64_t> counts;
  double range_low = 0;  // marked: what the quantizer can represent
  double range_high = 0;
};

// A small picture for a table cell. Heights are square roots, so that tails show. Empty without
// counts or a finite range.
std::string HistogramPicture(const HistogramData& data);

// A bar of `share` (clamped to [0, 1]) of the cell's width.
std::string BarPicture(double share);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_HTML_CHART_H_
