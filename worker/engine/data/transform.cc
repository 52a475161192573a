#include "worker/engine/data/transform.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "worker/engine/data/augment/colour_jitter.h"
#include "worker/engine/data/augment/random_erasing.h"
#include "worker/engine/data/augment/resized_crop.h"

namespace quantry::engine {
namespace {

// `position` reflected into [0, size) without repeating the edge: -1 is 1, size is size - 2.
int Reflect(int position, int size) {
  if (position < 0) return -position;
  return position < size ? position : 2 * size - 2 - position;
}

// Area averaging is right for shrinking (each source pixel counts), not for enlarging.
cv::Mat Resized(const cv::Mat& source, int width, int height) {
  const bool shrinks = static_cast<int64_t>(width) * height < static_cast<int64_t>(source.total());
  cv::Mat resized;
  cv::resize(source, resized, cv::Size(width, height), 0, 0,
             shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  return resized;
}

cv::Mat AsMat(const Picture& picture) {
  return cv::Mat(picture.height, picture.width, CV_8UC3, const_cast<uint8_t*>(picture.rgb.data()));
}

// The window of PlanCrop as bytes.
cv::Mat CopyWindow(const cv::Mat& source, const Crop& crop, int size) {
  cv::Mat window(size, size, CV_8UC3);
  auto* out = window.ptr<cv::Vec3b>();
  for (int y = 0; y < size; ++y) {
    const auto* const row = source.ptr<cv::Vec3b>(Reflect(crop.y + y, source.rows));
    for (int x = 0; x < size; ++x) {
      const int column = crop.flip ? size - 1 - x : x;
      *out++ = row[Reflect(crop.x + column, source.cols)];
    }
  }
  return window;
}

int ScaledLength(int length, int shorter, int target) {
  const double scaled = static_cast<double>(length) * target / shorter;
  return std::max(target, static_cast<int>(std::lround(scaled)));
}

}  // namespace

Crop PlanCrop(int width, int height, const LoaderOptions& options, CounterRng* rng) {
  const int size = options.image_size;
  Crop crop{.resized_width = width, .resized_height = height, .x = 0, .y = 0, .flip = false};
  int low_x = 0, high_x = 0, low_y = 0, high_y = 0;  // of the window, inclusive
  if (width == size && height == size) {
    low_x = low_y = -(size / 8);
    high_x = high_y = size / 8;
  } else {
    const int target = static_cast<int>(std::lround(size * 8.0 / 7.0));
    const int shorter = std::min(width, height);
    crop.resized_width = ScaledLength(width, shorter, target);
    crop.resized_height = ScaledLength(height, shorter, target);
    high_x = crop.resized_width - size;
    high_y = crop.resized_height - size;
  }
  if (options.random_crop) {
    crop.x = low_x + static_cast<int>(rng->Below(high_x - low_x + 1));
    crop.y = low_y + static_cast<int>(rng->Below(high_y - low_y + 1));
  } else {
    crop.x = (low_x + high_x) / 2;
    crop.y = (low_y + high_y) / 2;
  }
  if (options.random_flip) crop.flip = rng->Chance(0.5);
  return crop;
}

Transform::Transform(const LoaderOptions& options)
    : options_(options), rand_augment_(options.augment), size_(options.image_size) {
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      normalised_[c][v] = static_cast<float>((v / 255.0 - options.mean[c]) / options.std[c]);
    }
  }
}

absl::Status Transform::Apply(const Picture& picture, const Crop& crop, float* output) const {
  if (picture.width == crop.resized_width && picture.height == crop.resized_height) {
    Write(picture.rgb.data(), picture.width, picture.height, crop, output);
    return absl::OkStatus();
  }
  try {
    const cv::Mat resized = Resized(AsMat(picture), crop.resized_width, crop.resized_height);
    Write(resized.data, resized.cols, resized.rows, crop, output);
    return absl::OkStatus();
  } catch (const cv::Exception& e) {
    return absl::InternalError(absl::StrCat("cannot resize a picture of ", picture.width, " x ",
                                            picture.height, " pixels: ", e.err));
  }
}

absl::Status Transform::ApplyRandomly(const Picture& picture, CounterRng* rng,
                                      float* output) const {
  const AugmentOptions& augment = options_.augment;
  if (!augment.changes_colours() && !augment.resized_crop_min_area) {
    const Crop crop = PlanCrop(picture.width, picture.height, options_, rng);
    const absl::Status status = Apply(picture, crop, output);
    if (!status.ok()) return status;
  } else {
    try {
      Augment(picture, rng, output);
    } catch (const cv::Exception& e) {
      return absl::InternalError(absl::StrCat("cannot augment a picture of ", picture.width, " x ",
                                              picture.height, " pixels: ", e.err));
    }
  }
  if (augment.random_erasing > 0) EraseRandomly(augment.random_erasing, size_, rng, output);
  return absl::OkStatus();
}

void Transform::Augment(const Picture& picture, CounterRng* rng, float* output) const {
  cv::Mat window = Window(picture, rng);
  rand_augment_.Apply(rng, &window);
  JitterColours(options_.augment, rng, &window);
  const auto* const bytes = window.ptr<uint8_t>();
  for (size_t i = 0; i < window.total() * 3; ++i) output[i] = normalised_[i % 3][bytes[i]];
}

// The part of the picture that the network sees, as S x S bytes of its own.
cv::Mat Transform::Window(const Picture& picture, CounterRng* rng) const {
  if (!options_.augment.resized_crop_min_area) {
    const Crop crop = PlanCrop(picture.width, picture.height, options_, rng);
    const bool same = picture.width == crop.resized_width && picture.height == crop.resized_height;
    const cv::Mat source = AsMat(picture);
    return CopyWindow(same ? source : Resized(source, crop.resized_width, crop.resized_height),
                      crop, size_);
  }
  const cv::Rect part = DrawResizedCrop(picture.width, picture.height,
                                        *options_.augment.resized_crop_min_area, rng);
  cv::Mat window = Resized(AsMat(picture)(part), size_, size_);
  if (options_.random_flip && rng->Chance(0.5)) cv::flip(window, window, 1);
  return window;
}

void Transform::Write(const uint8_t* rgb, int width, int height, const Crop& crop,
                      float* output) const {
  for (int y = 0; y < size_; ++y) {
    const uint8_t* const row = rgb + size_t{3} * width * Reflect(crop.y + y, height);
    for (int x = 0; x < size_; ++x) {
      const int column = crop.flip ? size_ - 1 - x : x;
      const uint8_t* const pixel = row + size_t{3} * Reflect(crop.x + column, width);
      for (int c = 0; c < 3; ++c) *output++ = normalised_[c][pixel[c]];
    }
  }
}

}  // namespace quantry::engine
