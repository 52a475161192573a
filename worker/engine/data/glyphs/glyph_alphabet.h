#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_ALPHABET_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_ALPHABET_H_

#include <string>
#include <vector>

#include "worker/engine/data/glyphs/glyph_shape.h"

namespace quantry::engine {

// One class of the glyphs: a character and the ways to write it.
struct GlyphClass {
  std::string name;                  // "A"; lower case: "a_lower", as folders may ignore case
  std::vector<GlyphShape> variants;  // at least one
};

// 0-9, A-Z, a-z in this order: 62 classes. Lower-case letters that are small capitals in most fonts
// (c, o, s, v, w, x, z) have their handwritten form, for size is no hint here. Built at first use;
// thread-safe.
const std::vector<GlyphClass>& GlyphAlphabet();

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_GLYPH_ALPHABET_H_
