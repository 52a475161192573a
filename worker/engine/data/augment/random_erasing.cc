#include "worker/engine/data/augment/random_erasing.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace quantry::engine {
namespace {

constexpr int kDraws = 10;

}  // namespace

void EraseRandomly(double probability, int size, CounterRng* rng, float* pixels) {
  if (!rng->Chance(probability)) return;
  for (int draw = 0; draw < kDraws; ++draw) {
    const double area = rng->Uniform(0.02, 0.33) * size * size;
    const double ratio = std::exp(rng->Uniform(std::log(0.3), std::log(3.3)));
    const auto w = static_cast<int64_t>(std::llround(std::sqrt(area * ratio)));
    const auto h = static_cast<int64_t>(std::llround(std::sqrt(area / ratio)));
    if (w < 1 || h < 1 || w >= size || h >= size) continue;
    const int64_t x = rng->Below(size - w + 1);
    const int64_t y = rng->Below(size - h + 1);
    for (int64_t row = y; row < y + h; ++row) {
      float* const begin = pixels + 3 * (row * size + x);
      std::fill(begin, begin + 3 * w, 0.0f);
    }
    return;
  }
}

}  // namespace quantry::engine
