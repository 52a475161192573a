#include "worker/engine/data/glyphs/glyph_layout.h"

#include <algorithm>
#include <cmath>

#include "worker/engine/data/glyphs/exact_math.h"

namespace quantry::engine {
namespace {

constexpr double kLeastDepth = 0.5;       // perspective never enlarges more than twofold
constexpr double kLeastHalfWidth = 0.38;  // pixels; thinner strokes would fade away

// Takes points of the unit square to the canvas.
class Projector {
 public:
  Projector(const GlyphFont& font, const GlyphPose& pose, int size)
      : font_(font), pose_(pose), size_(size), rotation_(SinCosOfTurns(pose.angle)) {}

  struct Projected {
    double x, y;
    double scale;  // pixels per height of the character
  };

  Projected operator()(Point p) const {
    const double u = p.x + font_.wave * Wave(font_.wave_x, p) - 0.5;
    const double v = p.y + font_.wave * Wave(font_.wave_y, p) - 0.5;
    const double x = u * font_.aspect - v * font_.slant;
    const double rx = x * rotation_.cos - v * rotation_.sin;
    const double ry = x * rotation_.sin + v * rotation_.cos;
    const double depth =
        std::max(kLeastDepth, 1.0 + pose_.perspective_x * rx + pose_.perspective_y * ry);
    const double scale = size_ * pose_.height / depth;
    return {size_ * pose_.centre_x + rx * scale, size_ * pose_.centre_y + ry * scale, scale};
  }

 private:
  static double Wave(const double* wave, Point p) {
    return SinCosOfTurns(wave[0] * p.x + wave[1] * p.y + wave[2]).sin;
  }

  const GlyphFont& font_;
  const GlyphPose& pose_;
  double size_;
  SinCos rotation_;
};

// 1 along the pen's edge, 1 - contrast across it: the thickness of a broad-nibbed stroke.
double Thickness(const GlyphFont& font, double dx, double dy) {
  const double length = std::sqrt(dx * dx + dy * dy);
  if (length < 1e-9) return 1.0;
  const SinCos pen = SinCosOfTurns(font.pen_angle);
  return 1.0 - font.contrast * std::abs(dx * pen.cos + dy * pen.sin) / length;
}

void AppendStroke(const std::vector<Point>& points, bool closed, const GlyphFont& font,
                  const Projector& project, std::vector<Segment>* segments) {
  Projector::Projected from = project(points[0]);
  for (size_t i = 1; i < points.size(); ++i) {
    const Projector::Projected to = project(points[i]);
    const double width = font.half_width * Thickness(font, to.x - from.x, to.y - from.y);
    segments->push_back(
        {.x0 = static_cast<float>(from.x),
         .y0 = static_cast<float>(from.y),
         .x1 = static_cast<float>(to.x),
         .y1 = static_cast<float>(to.y),
         .half_width0 = static_cast<float>(std::max(kLeastHalfWidth, width * from.scale)),
         .half_width1 = static_cast<float>(std::max(kLeastHalfWidth, width * to.scale)),
         .flat0 = font.flat_caps && !closed && i == 1,
         .flat1 = font.flat_caps && !closed && i + 1 == points.size()});
    from = to;
  }
}

// A tick across the end `at` of a line that comes from `inner`: upright on level lines, level on
// the others, as printers do.
void AppendSerif(Point at, Point inner, const GlyphFont& font, const Projector& project,
                 std::vector<Segment>* segments) {
  const bool level = std::abs(at.x - inner.x) * font.aspect > std::abs(at.y - inner.y);
  const double dx = level ? 0.0 : font.serif / font.aspect;
  const double dy = level ? font.serif : 0.0;
  AppendStroke({{at.x - dx, at.y - dy}, {at.x + dx, at.y + dy}}, false, font, project, segments);
}

}  // namespace

std::vector<Segment> LayOutGlyph(const GlyphShape& shape, const GlyphFont& font,
                                 const GlyphPose& pose, int size, CounterRng* rng) {
  const Projector project(font, pose, size);
  std::vector<Segment> segments;
  for (const Stroke& stroke : shape) {
    std::vector<Point> points = stroke.points;
    const double dx = font.stroke_shift * rng->Uniform(-1.0, 1.0);
    const double dy = font.stroke_shift * rng->Uniform(-1.0, 1.0);
    for (Point& point : points) point = {point.x + dx, point.y + dy};
    AppendStroke(points, stroke.closed, font, project, &segments);
    if (font.serif == 0.0) continue;
    const size_t n = points.size();
    if (stroke.straight_start) AppendSerif(points[0], points[1], font, project, &segments);
    if (stroke.straight_end) AppendSerif(points[n - 1], points[n - 2], font, project, &segments);
  }
  return segments;
}

}  // namespace quantry::engine
