#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_CANVAS_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_CANVAS_H_

#include <cstdint>
#include <vector>

#include "worker/engine/data/counter_rng.h"
#include "worker/engine/data/glyphs/glyph_layout.h"

namespace quantry::engine {

struct Colour {
  float r, g, b;  // 0 black, 1 full
};

// How much of each pixel something covers, [0, 1], rows from the top.
class Coverage {
 public:
  explicit Coverage(int size) : size_(size), values_(static_cast<size_t>(size) * size, 0.0f) {}

  // Adds the segments, anti-aliased by each pixel centre's distance to them; where they overlap the
  // largest coverage counts.
  void Add(const std::vector<Segment>& segments);

  // The same shape moved by whole pixels; what moves in is empty.
  Coverage Shifted(int dx, int dy) const;

  float at(int x, int y) const { return values_[static_cast<size_t>(y) * size_ + x]; }
  int size() const { return size_; }

 private:
  int size_;
  std::vector<float> values_;
};

// A square picture in floating point. Not thread-safe.
class Canvas {
 public:
  explicit Canvas(int size) : size_(size), pixels_(static_cast<size_t>(size) * size) {}

  int size() const { return size_; }
  Colour& at(int x, int y) { return pixels_[static_cast<size_t>(y) * size_ + x]; }

  // Paints `from` at the top fading to `to` at the bottom through `coverage`; `opacity` in [0, 1].
  void Paint(const Coverage& coverage, Colour from, Colour to, float opacity);

  // Smooths by the kernel (1 - (d / (radius + 1))^2)^2, d the distance in pixels; edges repeat.
  void Blur(double radius);

  // Adds noise of the given standard deviation, the same to all channels if `grey`: the sum of four
  // 16-bit numbers, close to normal.
  void AddNoise(double sigma, bool grey, CounterRng* rng);

  // RGB bytes, rounded to the nearest and limited to [0, 255].
  std::vector<uint8_t> ToBytes() const;

 private:
  int size_;
  std::vector<Colour> pixels_;
};

// Between `a` (t = 0) and `b` (t = 1).
inline Colour Mixed(Colour a, Colour b, float t) {
  return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_CANVAS_H_
