#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_STYLE_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_STYLE_H_

#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// A random font: how the pen draws. Lengths in heights of the character.
struct GlyphFont {
  double half_width;    // of the stroke
  double aspect;        // width of the character
  double slant;         // shift to the right per height
  double contrast;      // [0, 1): how much thinner strokes at right angles to the pen's edge are
  double pen_angle;     // turns
  double serif;         // half length of the ticks at line ends; 0: none
  bool flat_caps;       // else rounded
  double wave;          // amplitude of a smooth bending of the unit square
  double wave_x[3];     // frequency along x, along y, phase of the shift of x
  double wave_y[3];     // the same of the shift of y
  double stroke_shift;  // largest displacement of each stroke by itself
};

// Where the character lies. Lengths in sizes of the picture.
struct GlyphPose {
  double centre_x;
  double centre_y;
  double height;
  double angle;          // turns, clockwise
  double perspective_x;  // share by which size changes per height of the character along x
  double perspective_y;
};

// A random font; `difficulty` in [0, 2] widens every range from one plain font (0).
GlyphFont RandomFont(double difficulty, CounterRng* rng);

// A random place; from upright in the middle (0).
GlyphPose RandomPose(double difficulty, CounterRng* rng);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_STYLE_H_
