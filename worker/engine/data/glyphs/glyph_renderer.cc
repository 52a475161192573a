#include "worker/engine/data/glyphs/glyph_renderer.h"

#include <algorithm>
#include <cmath>

#include "worker/engine/data/counter_rng.h"
#include "worker/engine/data/glyphs/background.h"
#include "worker/engine/data/glyphs/canvas.h"
#include "worker/engine/data/glyphs/glyph_alphabet.h"
#include "worker/engine/data/glyphs/glyph_layout.h"
#include "worker/engine/data/glyphs/glyph_style.h"

namespace quantry::engine {
namespace {

// Distance of two colours as the eye weighs the channels (ITU-R BT.601 luma weights), [0, 1].
float Contrast(Colour a, Colour b) {
  const float dr = a.r - b.r;
  const float dg = a.g - b.g;
  const float db = a.b - b.b;
  return std::sqrt(0.299f * dr * dr + 0.587f * dg * dg + 0.114f * db * db);
}

// A random ink that can be told from `paper`: at least 0.6 away at difficulty 0, 0.2 at 2.
Colour RandomInk(Colour paper, double difficulty, bool grey, CounterRng* rng) {
  const auto least = static_cast<float>(0.6 - 0.2 * difficulty);
  Colour ink = paper;
  for (int i = 0; i < 12 && Contrast(ink, paper) < least; ++i) ink = RandomColour(grey, rng);
  if (Contrast(ink, paper) >= least) return ink;
  const float far = Contrast(paper, {0, 0, 0}) > 0.5f ? 0.0f : 1.0f;
  return {far, far, far};
}

const GlyphShape& RandomVariant(int64_t label, CounterRng* rng) {
  const std::vector<GlyphShape>& variants = GlyphAlphabet()[label].variants;
  return variants[rng->Below(static_cast<int64_t>(variants.size()))];
}

// Parts of other characters left and right, as in a line of text.
void AddNeighbours(const GlyphRenderOptions& options, const GlyphFont& font, const GlyphPose& pose,
                   CounterRng* rng, Coverage* coverage) {
  for (const double side : {-1.0, 1.0}) {
    const bool present = rng->Chance(0.3 * options.difficulty);
    GlyphPose place = pose;
    place.centre_x += side * pose.height * (font.aspect + rng->Uniform(0.12, 0.3));
    place.centre_y += pose.height * rng->Uniform(-0.1, 0.1);
    const GlyphShape& shape = RandomVariant(rng->Below(options.num_classes), rng);
    if (present) coverage->Add(LayOutGlyph(shape, font, place, options.size, rng));
  }
}

// Blur, light and noise of the camera.
void Photograph(double difficulty, bool grey, CounterRng* rng, Canvas* canvas) {
  const double blur = canvas->size() / 32.0 * difficulty * rng->Uniform(0.0, 1.2);
  const auto gain = static_cast<float>(1.0 + difficulty * rng->Uniform(-0.2, 0.15));
  const double sigma = difficulty * rng->Uniform(0.0, 0.1);
  if (blur > 0.05) canvas->Blur(blur);
  for (int y = 0; y < canvas->size(); ++y) {
    for (int x = 0; x < canvas->size(); ++x) {
      Colour& pixel = canvas->at(x, y);
      pixel = {pixel.r * gain, pixel.g * gain, pixel.b * gain};
    }
  }
  if (sigma > 0.0) canvas->AddNoise(sigma, grey, rng);
}

}  // namespace

std::vector<uint8_t> RenderGlyph(const GlyphRenderOptions& options, int64_t label, uint64_t seed,
                                 uint64_t split, uint64_t index) {
  CounterRng rng({seed, split, index});
  const double d = options.difficulty;
  const bool grey = !options.colour;
  const GlyphFont font = RandomFont(d, &rng);
  const GlyphPose pose = RandomPose(d, &rng);
  const Colour paper = RandomColour(grey, &rng);
  const Colour ink = RandomInk(paper, d, grey, &rng);
  const Colour tint = RandomColour(grey, &rng);
  const Colour ink_below = Mixed(ink, tint, static_cast<float>(d * rng.Uniform(0.0, 0.15)));

  Canvas canvas(options.size);
  PaintBackground(paper, d, grey, &rng, &canvas);
  PaintClutter(paper, d, grey, &rng, &canvas);
  Coverage neighbours(options.size);
  AddNeighbours(options, font, pose, &rng, &neighbours);
  canvas.Paint(neighbours, ink, ink_below, 0.75f);

  Coverage glyph(options.size);
  glyph.Add(LayOutGlyph(RandomVariant(label, &rng), font, pose, options.size, &rng));
  if (rng.Chance(0.2 * d)) {
    const int reach = 1 + options.size / 32;
    const int dx = static_cast<int>(rng.Below(2 * reach + 1)) - reach;
    canvas.Paint(glyph.Shifted(dx, reach), {0, 0, 0}, {0, 0, 0}, 0.45f);
  }
  canvas.Paint(glyph, ink, ink_below, 1.0f);
  Photograph(d, grey, &rng, &canvas);
  return canvas.ToBytes();
}

}  // namespace quantry::engine
