#include "worker/engine/data/glyphs/canvas.h"

#include <algorithm>
#include <cmath>

namespace quantry::engine {
namespace {

// Signed distance in pixels from (x, y) to the outline of a segment: negative inside.
float OutlineDistance(const Segment& s, float inverse_length2, float length, float x, float y) {
  const float dx = s.x1 - s.x0;
  const float dy = s.y1 - s.y0;
  const float px = x - s.x0;
  const float py = y - s.y0;
  const float along = (px * dx + py * dy) * inverse_length2;
  const float t = std::min(1.0f, std::max(0.0f, along));
  const float ex = px - t * dx;
  const float ey = py - t * dy;
  float distance =
      std::sqrt(ex * ex + ey * ey) - (s.half_width0 + t * (s.half_width1 - s.half_width0));
  if (s.flat0) distance = std::max(distance, -along * length);
  if (s.flat1) distance = std::max(distance, (along - 1.0f) * length);
  return distance;
}

// The first and one past the last pixel of [low, high] that lie on the canvas.
std::pair<int, int> PixelRange(float low, float high, int size) {
  const float limit = static_cast<float>(size);
  const int begin = static_cast<int>(std::floor(std::min(limit, std::max(0.0f, low))));
  const int end = static_cast<int>(std::floor(std::min(limit, std::max(0.0f, high + 1.0f))));
  return {begin, end};
}

uint8_t ToByte(float value) {
  return static_cast<uint8_t>(std::floor(std::min(255.0f, std::max(0.0f, value * 255.0f)) + 0.5f));
}

}  // namespace

void Coverage::Add(const std::vector<Segment>& segments) {
  for (const Segment& s : segments) {
    const float reach = std::max(s.half_width0, s.half_width1) + 1.0f;
    const auto [x_begin, x_end] =
        PixelRange(std::min(s.x0, s.x1) - reach, std::max(s.x0, s.x1) + reach, size_);
    const auto [y_begin, y_end] =
        PixelRange(std::min(s.y0, s.y1) - reach, std::max(s.y0, s.y1) + reach, size_);
    const float dx = s.x1 - s.x0;
    const float dy = s.y1 - s.y0;
    const float length2 = std::max(1e-12f, dx * dx + dy * dy);
    const float inverse_length2 = 1.0f / length2;
    const float length = std::sqrt(length2);
    for (int y = y_begin; y < y_end; ++y) {
      float* const row = &values_[static_cast<size_t>(y) * size_];
      for (int x = x_begin; x < x_end; ++x) {
        const float distance = OutlineDistance(
            s, inverse_length2, length, static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f);
        row[x] = std::max(row[x], std::min(1.0f, 0.5f - distance));
      }
    }
  }
}

Coverage Coverage::Shifted(int dx, int dy) const {
  Coverage result(size_);
  for (int y = std::max(0, dy); y < std::min(size_, size_ + dy); ++y) {
    for (int x = std::max(0, dx); x < std::min(size_, size_ + dx); ++x) {
      result.values_[static_cast<size_t>(y) * size_ + x] = at(x - dx, y - dy);
    }
  }
  return result;
}

void Canvas::Paint(const Coverage& coverage, Colour from, Colour to, float opacity) {
  for (int y = 0; y < size_; ++y) {
    const Colour ink = Mixed(from, to, (static_cast<float>(y) + 0.5f) / static_cast<float>(size_));
    for (int x = 0; x < size_; ++x) {
      Colour& pixel = at(x, y);
      pixel = Mixed(pixel, ink, opacity * coverage.at(x, y));
    }
  }
}

void Canvas::Blur(double radius) {
  const int taps = static_cast<int>(std::floor(radius)) + 1;  // on either side
  std::vector<float> kernel(taps + 1);
  float sum = 0.0f;
  for (int d = 0; d <= taps; ++d) {
    const double share = d / (radius + 1.0);
    const double bump = std::max(0.0, 1.0 - share * share);
    kernel[d] = static_cast<float>(bump * bump);
    sum += d == 0 ? kernel[d] : 2.0f * kernel[d];
  }
  for (float& weight : kernel) weight /= sum;

  std::vector<Colour> line(size_);
  const auto smooth = [&](auto&& pixel) {  // pixel(i): reference to the i-th of a row or column
    for (int i = 0; i < size_; ++i) line[i] = pixel(i);
    for (int i = 0; i < size_; ++i) {
      Colour total{};
      for (int d = -taps; d <= taps; ++d) {
        const Colour& c = line[std::clamp(i + d, 0, size_ - 1)];
        const float weight = kernel[d < 0 ? -d : d];
        total = {total.r + weight * c.r, total.g + weight * c.g, total.b + weight * c.b};
      }
      pixel(i) = total;
    }
  };
  for (int y = 0; y < size_; ++y) smooth([&](int i) -> Colour& { return at(i, y); });
  for (int x = 0; x < size_; ++x) smooth([&](int i) -> Colour& { return at(x, i); });
}

void Canvas::AddNoise(double sigma, bool grey, CounterRng* rng) {
  // Each of the four is uniform with variance 2^32 / 12.
  const float factor = static_cast<float>(sigma / (65536.0 / 1.7320508075688772));
  const auto noise = [&]() {
    const uint64_t bits = rng->Next();
    const auto sum = static_cast<int>((bits & 0xffff) + ((bits >> 16) & 0xffff) +
                                      ((bits >> 32) & 0xffff) + (bits >> 48));
    return factor * static_cast<float>(sum - 2 * 65535);
  };
  for (Colour& pixel : pixels_) {
    const float r = noise();
    const float g = grey ? r : noise();
    const float b = grey ? r : noise();
    pixel = {pixel.r + r, pixel.g + g, pixel.b + b};
  }
}

std::vector<uint8_t> Canvas::ToBytes() const {
  std::vector<uint8_t> bytes;
  bytes.reserve(pixels_.size() * 3);
  for (const Colour& pixel : pixels_) {
    bytes.push_back(ToByte(pixel.r));
    bytes.push_back(ToByte(pixel.g));
    bytes.push_back(ToByte(pixel.b));
  }
  return bytes;
}

}  // namespace quantry::engine
