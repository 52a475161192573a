#include "worker/engine/data/augment/colour_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <opencv2/imgproc.hpp>

namespace quantry::engine {
namespace {

using Table = std::array<uint8_t, 256>;

uint8_t Clamped(double value) {
  return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

uint8_t* BytesOf(cv::Mat* picture) { return picture->ptr<uint8_t>(); }
size_t NumBytes(const cv::Mat& picture) { return picture.total() * picture.elemSize(); }

template <typename Function>
void MapValues(const Function& function, cv::Mat* picture) {
  Table table;
  for (int v = 0; v < 256; ++v) table[v] = function(v);
  uint8_t* const bytes = BytesOf(picture);
  for (size_t i = 0; i < NumBytes(*picture); ++i) bytes[i] = table[bytes[i]];
}

// 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point, rounded.
int Grey(const uint8_t* pixel) {
  return (19595 * pixel[0] + 38470 * pixel[1] + 7471 * pixel[2] + 32768) >> 16;
}

double DrawFactor(double strength, CounterRng* rng) {
  const double change = 0.9 * strength;
  return std::max(0.0, rng->Chance(0.5) ? 1.0 + change : 1.0 - change);
}

using Histogram = std::array<int64_t, 256>;

std::array<Histogram, 3> Histograms(const cv::Mat& picture) {
  std::array<Histogram, 3> counts = {};
  const uint8_t* const bytes = picture.ptr<uint8_t>();
  for (size_t i = 0; i < NumBytes(picture); ++i) ++counts[i % 3][bytes[i]];
  return counts;
}

void MapChannels(const std::array<Table, 3>& tables, cv::Mat* picture) {
  uint8_t* const bytes = BytesOf(picture);
  for (size_t i = 0; i < NumBytes(*picture); ++i) bytes[i] = tables[i % 3][bytes[i]];
}

Table Spread(const Histogram& counts) {
  int low = 0, high = 255;
  while (low < 255 && counts[low] == 0) ++low;
  while (high > 0 && counts[high] == 0) --high;
  Table table;
  for (int v = 0; v < 256; ++v) {
    table[v] = low >= high ? static_cast<uint8_t>(v) : Clamped((v - low) * 255.0 / (high - low));
  }
  return table;
}

// As many pixels in each step of the output; the last value's count is left out of the step, so
// that the largest value stays 255.
Table Flatten(const Histogram& counts) {
  Table table;
  int64_t total = 0;
  int last = 0;
  for (int v = 0; v < 256; ++v) {
    total += counts[v];
    if (counts[v] > 0) last = v;
  }
  const int64_t step = (total - counts[last]) / 255;
  int64_t below = step / 2;
  for (int v = 0; v < 256; ++v) {
    table[v] = step == 0 ? static_cast<uint8_t>(v)
                         : static_cast<uint8_t>(std::min<int64_t>(255, below / step));
    below += counts[v];
  }
  return table;
}

}  // namespace

void AutoContrast(double, CounterRng*, cv::Mat* picture) {
  const auto counts = Histograms(*picture);
  MapChannels({Spread(counts[0]), Spread(counts[1]), Spread(counts[2])}, picture);
}

void Equalize(double, CounterRng*, cv::Mat* picture) {
  const auto counts = Histograms(*picture);
  MapChannels({Flatten(counts[0]), Flatten(counts[1]), Flatten(counts[2])}, picture);
}

void Invert(double, CounterRng*, cv::Mat* picture) {
  MapValues([](int v) { return static_cast<uint8_t>(255 - v); }, picture);
}

void Posterize(double s, CounterRng*, cv::Mat* picture) {
  const int dropped = std::clamp(static_cast<int>(std::lround(4 * s)), 0, 7);
  const int mask = 0xff << dropped & 0xff;
  MapValues([mask](int v) { return static_cast<uint8_t>(v & mask); }, picture);
}

void Solarize(double s, CounterRng*, cv::Mat* picture) {
  const double threshold = 256 * (1 - std::min(1.0, s));
  MapValues([threshold](int v) { return static_cast<uint8_t>(v < threshold ? v : 255 - v); },
            picture);
}

void Brightness(double s, CounterRng* rng, cv::Mat* picture) {
  ScaleBrightness(DrawFactor(s, rng), picture);
}
void Contrast(double s, CounterRng* rng, cv::Mat* picture) {
  ScaleContrast(DrawFactor(s, rng), picture);
}
void Color(double s, CounterRng* rng, cv::Mat* picture) { ScaleColor(DrawFactor(s, rng), picture); }
void Sharpness(double s, CounterRng* rng, cv::Mat* picture) {
  ScaleSharpness(DrawFactor(s, rng), picture);
}

void ScaleBrightness(double factor, cv::Mat* picture) {
  MapValues([factor](int v) { return Clamped(v * factor); }, picture);
}

void ScaleContrast(double factor, cv::Mat* picture) {
  const uint8_t* const bytes = BytesOf(picture);
  const auto pixels = static_cast<int64_t>(picture->total());
  int64_t sum = 0;
  for (int64_t i = 0; i < pixels; ++i) sum += Grey(bytes + 3 * i);
  const double mean = std::floor(static_cast<double>(sum) / static_cast<double>(pixels) + 0.5);
  MapValues([=](int v) { return Clamped(mean + factor * (v - mean)); }, picture);
}

void ScaleColor(double factor, cv::Mat* picture) {
  uint8_t* const bytes = BytesOf(picture);
  for (size_t i = 0; i < NumBytes(*picture); i += 3) {
    const int grey = Grey(bytes + i);
    for (size_t c = i; c < i + 3; ++c) bytes[c] = Clamped(grey + factor * (bytes[c] - grey));
  }
}

void ScaleSharpness(double factor, cv::Mat* picture) {
  const cv::Mat original = picture->clone();
  const int row = 3 * picture->cols;
  const uint8_t* const in = original.ptr<uint8_t>();
  uint8_t* const out = BytesOf(picture);
  // Edges stay as they are.
  for (int y = 1; y + 1 < picture->rows; ++y) {
    for (int i = y * row + 3; i < (y + 1) * row - 3; ++i) {
      const int around = in[i - row - 3] + in[i - row] + in[i - row + 3] + in[i - 3] + in[i + 3] +
                         in[i + row - 3] + in[i + row] + in[i + row + 3];
      const double smooth = (around + 5 * in[i]) / 13.0;
      out[i] = Clamped(smooth + factor * (in[i] - smooth));
    }
  }
}

void TurnHue(double turn, cv::Mat* picture) {
  cv::Mat hsv;
  cv::cvtColor(*picture, hsv, cv::COLOR_RGB2HSV_FULL);  // hue 0 to 255 is a full circle
  const int step = static_cast<int>(std::lround(turn * 256));
  uint8_t* const bytes = BytesOf(&hsv);
  for (size_t i = 0; i < NumBytes(hsv); i += 3) {
    bytes[i] = static_cast<uint8_t>((bytes[i] + step + 256) & 0xff);
  }
  cv::cvtColor(hsv, *picture, cv::COLOR_HSV2RGB_FULL);
}

}  // namespace quantry::engine
