#include "worker/engine/data/augment/resized_crop.h"

#include <algorithm>
#include <cmath>

namespace quantry::engine {
namespace {

constexpr int kDraws = 10;
constexpr double kSlimmest = 3.0 / 4.0;
constexpr double kWidest = 4.0 / 3.0;

cv::Rect MiddlePart(int width, int height) {
  const double ratio = static_cast<double>(width) / height;
  int w = width, h = height;
  if (ratio < kSlimmest) h = std::max(1, static_cast<int>(std::lround(width / kSlimmest)));
  if (ratio > kWidest) w = std::max(1, static_cast<int>(std::lround(height * kWidest)));
  w = std::min(w, width);
  h = std::min(h, height);
  return {(width - w) / 2, (height - h) / 2, w, h};
}

}  // namespace

cv::Rect DrawResizedCrop(int width, int height, double min_area, CounterRng* rng) {
  const double area = static_cast<double>(width) * height;
  for (int draw = 0; draw < kDraws; ++draw) {
    const double target = area * rng->Uniform(min_area, 1.0);
    const double ratio = std::exp(rng->Uniform(std::log(kSlimmest), std::log(kWidest)));
    const auto w = static_cast<int64_t>(std::llround(std::sqrt(target * ratio)));
    const auto h = static_cast<int64_t>(std::llround(std::sqrt(target / ratio)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const auto x = static_cast<int>(rng->Below(width - w + 1));
    const auto y = static_cast<int>(rng->Below(height - h + 1));
    return {x, y, static_cast<int>(w), static_cast<int>(h)};
  }
  return MiddlePart(width, height);
}

}  // namespace quantry::engine
