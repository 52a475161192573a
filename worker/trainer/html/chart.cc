#include "worker/trainer/html/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/trainer/html/escape.h"

namespace quantry::trainer {
namespace {

constexpr double kWidth = 460;
constexpr double kHeight = 240;
constexpr double kLeft = 48;
constexpr double kRight = 12;
constexpr double kTop = 12;
constexpr double kBottom = 34;
constexpr size_t kColours = 4;

struct Bounds {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void Take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  // Wide enough to be divided.
  void Widen() {
    if (high > low) return;
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low -= room;
    high += room;
  }
  double ShareOf(double value) const { return (value - low) / (high - low); }
};

bool IsDrawable(const ChartPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

// Where values lie on the picture.
struct Frame {
  Bounds x;
  Bounds y;
  double X(double value) const { return kLeft + x.ShareOf(value) * (kWidth - kLeft - kRight); }
  double Y(double value) const {
    return kTop + (1 - y.ShareOf(value)) * (kHeight - kTop - kBottom);
  }
};

std::string YLabel(double value, const ChartOptions& options) {
  return options.percent ? absl::StrFormat("%.4g%%", 100 * value) : absl::StrFormat("%.4g", value);
}

std::string Grid(const Frame& frame, const ChartOptions& options) {
  std::string svg;
  for (const double tick : TickValues(frame.y.low, frame.y.high, 5)) {
    absl::StrAppendFormat(
        &svg,
        "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
        "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>",
        kLeft, kWidth - kRight, frame.Y(tick), frame.Y(tick), kLeft - 6, frame.Y(tick) + 4,
        YLabel(tick, options));
  }
  for (const double tick : TickValues(frame.x.low, frame.x.high, 6)) {
    if (options.whole_x && tick != std::round(tick)) continue;
    absl::StrAppendFormat(
        &svg, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%.6g</text>",
        frame.X(tick), kHeight - kBottom + 16, tick);
  }
  absl::StrAppendFormat(&svg,
                        "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                        kLeft, kWidth - kRight, kHeight - kBottom, kHeight - kBottom);
  absl::StrAppendFormat(
      &svg, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%s</text>",
      (kLeft + kWidth - kRight) / 2, kHeight - 3, EscapeHtml(options.x_label));
  return svg;
}

std::string Line(const ChartSeries& series, size_t colour, const Frame& frame) {
  std::string path;
  std::string dots;
  for (const ChartPoint& point : series.points) {
    if (!IsDrawable(point)) continue;
    absl::StrAppendFormat(&path, "%s%.1f,%.1f", path.empty() ? "" : " ", frame.X(point.x),
                          frame.Y(point.y));
    absl::StrAppendFormat(&dots, "<circle class=\"dot%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>",
                          colour, frame.X(point.x), frame.Y(point.y));
  }
  const bool crowded = series.points.size() > 40;
  return absl::StrFormat("<polyline class=\"line%d\" points=\"%s\"/>%s", colour, path,
                         crowded ? "" : dots);
}

std::string Legend(const std::vector<ChartSeries>& series) {
  std::string html;
  for (size_t i = 0; i < series.size(); ++i) {
    absl::StrAppendFormat(&html, "<span class=\"key\"><i class=\"swatch%d\"></i>%s</span>",
                          i % kColours, EscapeHtml(series[i].name));
  }
  return html;
}

}  // namespace

std::vector<double> TickValues(double low, double high, int count) {
  if (!(high > low) || !std::isfinite(high - low)) return {};
  const double rough = (high - low) / std::max(1, count);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= rough) break;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
    if (ticks.size() > 100) break;
  }
  return ticks;
}

std::string LineChart(const std::vector<ChartSeries>& series, const ChartOptions& options) {
  Frame frame;
  for (const ChartSeries& line : series) {
    for (const ChartPoint& point : line.points) {
      if (!IsDrawable(point)) continue;
      frame.x.Take(point.x);
      frame.y.Take(point.y);
    }
  }
  if (frame.x.empty()) return "";
  frame.x.Widen();
  frame.y.Widen();
  const double room = 0.06 * (frame.y.high - frame.y.low);
  frame.y.low -= room;
  frame.y.high += room;
  std::string svg = absl::StrFormat(
      "<figure class=\"chart\"><figcaption>%s %s</figcaption><svg viewBox=\"0 0 %.0f %.0f\" "
      "role=\"img\" aria-label=\"%s\">",
      EscapeHtml(options.title), Legend(series), kWidth, kHeight, EscapeHtml(options.title));
  absl::StrAppend(&svg, Grid(frame, options));
  for (size_t i = 0; i < series.size(); ++i) {
    absl::StrAppend(&svg, Line(series[i], i % kColours, frame));
  }
  return absl::StrCat(svg, "</svg></figure>");
}

std::string HistogramPicture(const HistogramData& data) {
  if (data.counts.empty() || !std::isfinite(data.min) || !std::isfinite(data.max)) return "";
  constexpr double kPictureWidth = 160;
  constexpr double kPictureHeight = 34;
  Bounds x;
  for (const double edge : {data.min, data.max, data.range_low, data.range_high}) {
    if (std::isfinite(edge)) x.Take(edge);
  }
  x.Widen();
  const auto at = [&](double value) { return 1 + x.ShareOf(value) * (kPictureWidth - 2); };
  const double most = std::sqrt(static_cast<double>(
      std::max<int64_t>(1, *std::max_element(data.counts.begin(), data.counts.end()))));
  const double bin = (data.max - data.min) / static_cast<double>(data.counts.size());
  std::string path;
  for (size_t i = 0; i < data.counts.size(); ++i) {
    if (data.counts[i] <= 0) continue;
    const double left = at(data.min + static_cast<double>(i) * bin);
    const double width = std::max(0.8, at(data.min + static_cast<double>(i + 1) * bin) - left);
    const double height =
        std::max(0.7, std::sqrt(static_cast<double>(data.counts[i])) / most * (kPictureHeight - 3));
    absl::StrAppendFormat(&path, "M%.1f,%.1fh%.1fv-%.1fh-%.1fz", left, kPictureHeight - 1, width,
                          height, width);
  }
  std::string svg = absl::StrFormat(
      "<svg class=\"histogram\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"values from "
      "%.4g to %.4g\"><path class=\"bins\" d=\"%s\"/>",
      kPictureWidth, kPictureHeight, data.min, data.max, path);
  for (const double edge : {data.range_low, data.range_high}) {
    if (!std::isfinite(edge)) continue;
    absl::StrAppendFormat(&svg,
                          "<line class=\"range\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%.0f\"/>",
                          at(edge), at(edge), kPictureHeight);
  }
  return absl::StrCat(svg, "</svg>");
}

std::string BarPicture(double share) {
  const double bounded = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  return absl::StrFormat("<span class=\"bar\"><i style=\"width:%.1f%%\"></i></span>",
                         100 * bounded);
}

}  // namespace quantry::trainer
