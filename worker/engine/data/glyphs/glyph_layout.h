#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_LAYOUT_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_LAYOUT_H_

#include <vector>

#include "worker/engine/data/counter_rng.h"
#include "worker/engine/data/glyphs/glyph_shape.h"
#include "worker/engine/data/glyphs/glyph_style.h"

namespace quantry::engine {

// A straight piece of a stroke on the canvas; pixels, (0, 0) the picture's upper left corner.
struct Segment {
  float x0, y0, x1, y1;
  float half_width0, half_width1;  // at either end
  bool flat0, flat1;               // ends at right angles there, else in a half circle
};

// The pieces of `shape` written in `font` at `pose` on a picture of size x size pixels. Straight
// lines stay straight under perspective; widths shrink with the distance.
std::vector<Segment> LayOutGlyph(const GlyphShape& shape, const GlyphFont& font,
                                 const GlyphPose& pose, int size, CounterRng* rng);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_LAYOUT_H_
