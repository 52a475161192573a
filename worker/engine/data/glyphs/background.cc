#include "worker/engine/data/glyphs/background.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/engine/data/glyphs/exact_math.h"

namespace quantry::engine {
namespace {

// `base` moved towards a random colour, by up to 0.35 * difficulty of the way.
Colour Stray(Colour base, double difficulty, bool grey, CounterRng* rng) {
  const Colour other = RandomColour(grey, rng);
  return Mixed(base, other, static_cast<float>(difficulty * rng->Uniform(0.05, 0.35)));
}

// A plane through the canvas at a random angle: -0.5 at one side, 0.5 at the other.
struct Ramp {
  explicit Ramp(CounterRng* rng) : angle(SinCosOfTurns(rng->Unit())) {}
  float At(int x, int y, int size) const {
    const double u = (x + 0.5) / size - 0.5;
    const double v = (y + 0.5) / size - 0.5;
    return static_cast<float>((u * angle.cos + v * angle.sin) * 0.7071067811865476);
  }
  SinCos angle;
};

template <typename Shade>  // Shade(x, y) -> share of `b` in [0, 1]
void Fill(Colour a, Colour b, Shade shade, Canvas* canvas) {
  for (int y = 0; y < canvas->size(); ++y) {
    for (int x = 0; x < canvas->size(); ++x) canvas->at(x, y) = Mixed(a, b, shade(x, y));
  }
}

void PaintBlobs(Colour base, double difficulty, bool grey, CounterRng* rng, Canvas* canvas) {
  const int size = canvas->size();
  Fill(
      base, base, [](int, int) { return 0.0f; }, canvas);
  const int count = 2 + static_cast<int>(rng->Below(3));
  for (int i = 0; i < count; ++i) {
    const Colour colour = Stray(base, difficulty, grey, rng);
    const auto cx = static_cast<float>(size * rng->Unit());
    const auto cy = static_cast<float>(size * rng->Unit());
    const auto radius = static_cast<float>(size * rng->Uniform(0.12, 0.4));
    const float inverse = 1.0f / (radius * radius);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const float dx = static_cast<float>(x) + 0.5f - cx;
        const float dy = static_cast<float>(y) + 0.5f - cy;
        const float share = std::max(0.0f, 1.0f - (dx * dx + dy * dy) * inverse);
        canvas->at(x, y) = Mixed(canvas->at(x, y), colour, std::min(1.0f, 2.0f * share));
      }
    }
  }
}

}  // namespace

Colour RandomColour(bool grey, CounterRng* rng) {
  const auto r = static_cast<float>(rng->Unit());
  const auto g = static_cast<float>(rng->Unit());
  const auto b = static_cast<float>(rng->Unit());
  return grey ? Colour{r, r, r} : Colour{r, g, b};
}

void PaintBackground(Colour base, double difficulty, bool grey, CounterRng* rng, Canvas* canvas) {
  const int size = canvas->size();
  const int64_t kind = rng->Below(4);
  if (kind == 3) return PaintBlobs(base, difficulty, grey, rng, canvas);
  const Colour a = Stray(base, difficulty, grey, rng);
  const Colour b = Stray(base, difficulty, grey, rng);
  const Ramp ramp(rng);
  const double period = rng->Uniform(0.08, 0.3);
  const double phase = rng->Unit();
  if (kind == 0)
    return Fill(
        base, base, [](int, int) { return 0.0f; }, canvas);
  if (kind == 1) {
    return Fill(
        a, b, [&](int x, int y) { return 0.5f + ramp.At(x, y, size); }, canvas);
  }
  const auto stripes = [&](int x, int y) {  // a triangle wave, steep enough to look like bars
    const double turns = ramp.At(x, y, size) / period + phase;
    const double wave = std::abs(2.0 * (turns - std::floor(turns)) - 1.0);
    return static_cast<float>(std::min(1.0, std::max(0.0, 3.0 * wave - 1.0)));
  };
  Fill(a, b, stripes, canvas);
}

void PaintClutter(Colour base, double difficulty, bool grey, CounterRng* rng, Canvas* canvas) {
  const int size = canvas->size();
  const auto count = static_cast<int>(std::floor(difficulty * rng->Uniform(0.0, 4.0)));
  for (int i = 0; i < count; ++i) {
    const auto x = static_cast<float>(size * rng->Unit());
    const auto y = static_cast<float>(size * rng->Unit());
    const SinCos angle = SinCosOfTurns(rng->Unit());
    const double length = size * rng->Uniform(0.15, 0.5);
    const auto half_width = static_cast<float>(size * rng->Uniform(0.012, 0.035));
    const Segment line{.x0 = x,
                       .y0 = y,
                       .x1 = x + static_cast<float>(length * angle.cos),
                       .y1 = y + static_cast<float>(length * angle.sin),
                       .half_width0 = half_width,
                       .half_width1 = half_width,
                       .flat0 = true,
                       .flat1 = true};
    const Colour colour = Mixed(base, RandomColour(grey, rng), 0.6f);
    Coverage coverage(size);
    coverage.Add({line});
    canvas->Paint(coverage, colour, colour, 0.8f);
  }
}

}  // namespace quantry::engine
