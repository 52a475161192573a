#include "worker/engine/data/glyphs/glyph_style.h"

#include <algorithm>

namespace quantry::engine {

GlyphFont RandomFont(double difficulty, CounterRng* rng) {
  const double d = difficulty;
  GlyphFont font{};
  font.half_width = 0.058 * (1.0 + d * rng->Uniform(-0.3, 0.4));
  font.aspect = 0.74 * (1.0 + d * rng->Uniform(-0.25, 0.3));
  font.slant = d * rng->Uniform(-0.22, 0.28);
  font.contrast = std::min(0.7, d * rng->Uniform(0.0, 0.45));
  font.pen_angle = rng->Uniform(0.0, 0.5);
  const bool has_serif = rng->Chance(0.35 * std::min(1.0, d));
  const double serif = rng->Uniform(0.07, 0.12);
  font.serif = has_serif ? serif : 0.0;
  font.flat_caps = rng->Chance(0.5);
  font.wave = d * rng->Uniform(0.0, 0.045);
  for (double* const wave : {font.wave_x, font.wave_y}) {
    wave[0] = rng->Uniform(-1.0, 1.0);
    wave[1] = rng->Uniform(-1.0, 1.0);
    wave[2] = rng->Unit();
  }
  font.stroke_shift = d * rng->Uniform(0.0, 0.03);
  return font;
}

GlyphPose RandomPose(double difficulty, CounterRng* rng) {
  const double d = difficulty;
  GlyphPose pose{};
  pose.centre_x = 0.5 + d * rng->Uniform(-0.1, 0.1);
  pose.centre_y = 0.5 + d * rng->Uniform(-0.1, 0.1);
  pose.height = 0.66 * (1.0 + d * rng->Uniform(-0.32, 0.16));
  pose.angle = d * rng->Uniform(-0.055, 0.055);
  pose.perspective_x = d * rng->Uniform(-0.3, 0.3);
  pose.perspective_y = d * rng->Uniform(-0.3, 0.3);
  return pose;
}

}  // namespace quantry::engine
