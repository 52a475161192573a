#include "worker/engine/data/glyphs/glyph_shape.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "worker/engine/data/glyphs/exact_math.h"

namespace quantry::engine {
namespace {

constexpr double kLinePiece = 0.4;    // a longer line is cut, so that it can bend when warped
constexpr int kCurvePieces = 6;       // of a Bezier curve
constexpr double kArcDegrees = 24.0;  // per piece of an arc

// "x,y;x,y" as points; `count` of them.
absl::StatusOr<std::vector<Point>> ParsePoints(absl::string_view text, size_t count) {
  std::vector<Point> points;
  for (const absl::string_view pair : absl::StrSplit(text, ';')) {
    const std::vector<absl::string_view> numbers = absl::StrSplit(pair, ',');
    Point point{};
    if (numbers.size() != 2 || !absl::SimpleAtod(numbers[0], &point.x) ||
        !absl::SimpleAtod(numbers[1], &point.y)) {
      return absl::InvalidArgumentError(absl::StrCat("'", pair, "' is not two numbers"));
    }
    points.push_back(point);
  }
  if (points.size() != count) {
    return absl::InvalidArgumentError(absl::StrCat("needs ", count, " points"));
  }
  return points;
}

void AppendLine(Point to, std::vector<Point>* points) {
  const Point from = points->back();
  const double dx = to.x - from.x;
  const double dy = to.y - from.y;
  const int pieces = 1 + static_cast<int>(std::floor(std::sqrt(dx * dx + dy * dy) / kLinePiece));
  for (int i = 1; i < pieces; ++i) {
    const double t = static_cast<double>(i) / pieces;
    points->push_back({from.x + t * dx, from.y + t * dy});
  }
  points->push_back(to);
}

void AppendCurve(Point control, Point to, std::vector<Point>* points) {
  const Point from = points->back();
  for (int i = 1; i <= kCurvePieces; ++i) {
    const double t = static_cast<double>(i) / kCurvePieces;
    const double u = 1.0 - t;
    points->push_back({u * u * from.x + 2.0 * u * t * control.x + t * t * to.x,
                       u * u * from.y + 2.0 * u * t * control.y + t * t * to.y});
  }
}

void AppendArc(Point centre, Point radius, double begin, double end, std::vector<Point>* points) {
  const int pieces = std::max(2, static_cast<int>(std::floor(std::abs(end - begin) / kArcDegrees)));
  for (int i = 0; i <= pieces; ++i) {
    const double degrees = begin + (end - begin) * i / pieces;
    const SinCos angle = SinCosOfTurns(degrees / 360.0);
    points->push_back({centre.x + radius.x * angle.cos, centre.y + radius.y * angle.sin});
  }
}

absl::Status Apply(absl::string_view command, GlyphShape* shape) {
  const char kind = command.front();
  const absl::string_view rest = command.substr(1);
  if (kind == 'M') {
    QUANTRY_ASSIGN_OR_RETURN(std::vector<Point> p, ParsePoints(rest, 1));
    shape->push_back({.points = std::move(p)});
    return absl::OkStatus();
  }
  if (kind == 'O') {
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<Point> p, ParsePoints(rest, 3));
    Stroke stroke{.points = {}, .closed = std::abs(p[2].y - p[2].x) >= 360.0};
    AppendArc(p[0], p[1], p[2].x, p[2].y, &stroke.points);
    shape->push_back(std::move(stroke));
    return absl::OkStatus();
  }
  if (shape->empty()) return absl::InvalidArgumentError("a shape begins with M or O");
  Stroke& stroke = shape->back();
  if (kind == 'L') {
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<Point> p, ParsePoints(rest, 1));
    if (stroke.points.size() == 1) stroke.straight_start = true;
    AppendLine(p[0], &stroke.points);
    stroke.straight_end = true;
    return absl::OkStatus();
  }
  stroke.straight_end = false;
  if (kind == 'Q') {
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<Point> p, ParsePoints(rest, 2));
    AppendCurve(p[0], p[1], &stroke.points);
    return absl::OkStatus();
  }
  if (kind == 'A') {
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<Point> p, ParsePoints(rest, 3));
    AppendArc(p[0], p[1], p[2].x, p[2].y, &stroke.points);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("unknown command; allowed: M L Q A O");
}

}  // namespace

absl::StatusOr<GlyphShape> ParseGlyphShape(absl::string_view text) {
  GlyphShape shape;
  for (const absl::string_view command : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const absl::Status status = Apply(command, &shape);
    if (!status.ok()) return WithContext(status, absl::StrCat("command '", command, "'"));
  }
  for (const Stroke& stroke : shape) {
    if (stroke.points.size() < 2) return absl::InvalidArgumentError("a stroke has one point only");
  }
  if (shape.empty()) return absl::InvalidArgumentError("a shape has no stroke");
  return shape;
}

}  // namespace quantry::engine
