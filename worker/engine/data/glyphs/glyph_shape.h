#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_SHAPE_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_SHAPE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

struct Point {
  double x;
  double y;
};

// One movement of the pen, curves already flattened; at least two points.
struct Stroke {
  std::vector<Point> points;
  bool closed = false;          // ends where it began
  bool straight_start = false;  // begins with a line, so that a serif may stand there
  bool straight_end = false;    // ends with a line
};

// A character as strokes in the unit square, x to the right, y down; hooks may leave it a little.
using GlyphShape = std::vector<Stroke>;

// Reads a shape from text: commands without spaces inside, separated by spaces.
//   Mx,y            starts a stroke at (x, y)
//   Lx,y            a line to (x, y)
//   Qcx,cy;x,y      a quadratic Bezier curve by (cx, cy) to (x, y)
//   Acx,cy;rx,ry;a,b  a line to, then the arc of the ellipse from angle a to angle b (degrees,
//                   0 right, 90 down)
//   Ocx,cy;rx,ry;a,b  the same arc as a stroke of its own
// INVALID_ARGUMENT names the command that is wrong.
absl::StatusOr<GlyphShape> ParseGlyphShape(absl::string_view text);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_SHAPE_H_
