#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_RENDERER_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_RENDERER_H_

#include <cstdint>
#include <vector>

namespace quantry::engine {

struct GlyphRenderOptions {
  int size = 32;            // height = width in pixels, [16, 256]
  double difficulty = 1.0;  // [0, 2]: scales every distortion; 0: plain characters in the middle
  bool colour = true;       // else shades of grey
  int num_classes = 36;     // [2, 62]: the neighbours in the background are chosen among these
};

// Draws the character of class `label` (index into GlyphAlphabet()) with everything else chosen by
// (seed, split, index): size * size * 3 RGB bytes. A pure function, the
// same bytes on every machine; thread-safe.
std::vector<uint8_t> RenderGlyph(const GlyphRenderOptions& options, int64_t label, uint64_t seed,
                                 uint64_t split, uint64_t index);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_RENDERER_H_
