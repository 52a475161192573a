#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_BACKGROUND_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_BACKGROUND_H_

#include "worker/engine/data/counter_rng.h"
#include "worker/engine/data/glyphs/canvas.h"

namespace quantry::engine {

// Fills the canvas around the colour `base`: flat, a gradient, stripes or blobs, chosen by `rng`.
// `difficulty` in [0, 2] scales how far colours stray from `base`; `grey` keeps them without hue.
void PaintBackground(Colour base, double difficulty, bool grey, CounterRng* rng, Canvas* canvas);

// Scatters random lines over the canvas, up to 4 * difficulty of them.
void PaintClutter(Colour base, double difficulty, bool grey, CounterRng* rng, Canvas* canvas);

// A random colour, each channel uniform in [0, 1]; all the same if `grey`.
Colour RandomColour(bool grey, CounterRng* rng);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_BACKGROUND_H_
