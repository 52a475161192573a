#include "worker/engine/data/augment/geometry_ops.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace quantry::engine {
namespace {

const cv::Scalar kGrey(128, 128, 128);

double EitherWay(double amount, CounterRng* rng) { return rng->Chance(0.5) ? amount : -amount; }

// The pixel at (x, y) comes from (a x + b y + c, d x + e y + f), both measured from the middle.
struct Map {
  double a = 1, b = 0, c = 0;
  double d = 0, e = 1, f = 0;
};

void Warp(const Map& map, cv::Mat* picture) {
  const double x = (picture->cols - 1) / 2.0;
  const double y = (picture->rows - 1) / 2.0;
  const double values[] = {map.a, map.b, map.c + x - map.a * x - map.b * y,
                           map.d, map.e, map.f + y - map.d * x - map.e * y};
  const cv::Mat matrix(2, 3, CV_64F, const_cast<double*>(values));
  cv::Mat warped;
  cv::warpAffine(*picture, warped, matrix, picture->size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                 cv::BORDER_CONSTANT, kGrey);
  *picture = warped;
}

}  // namespace

void Rotate(double s, CounterRng* rng, cv::Mat* picture) {
  constexpr double kDegree = 3.14159265358979323846 / 180;
  const double angle = EitherWay(30 * s * kDegree, rng);
  Warp({.a = std::cos(angle), .b = std::sin(angle), .d = -std::sin(angle), .e = std::cos(angle)},
       picture);
}

void ShearX(double s, CounterRng* rng, cv::Mat* picture) {
  Warp({.b = EitherWay(0.3 * s, rng)}, picture);
}

void ShearY(double s, CounterRng* rng, cv::Mat* picture) {
  Warp({.d = EitherWay(0.3 * s, rng)}, picture);
}

void TranslateX(double s, CounterRng* rng, cv::Mat* picture) {
  Warp({.c = EitherWay(std::round(std::min(0.9, 0.3 * s) * picture->cols), rng)}, picture);
}

void TranslateY(double s, CounterRng* rng, cv::Mat* picture) {
  Warp({.f = EitherWay(std::round(std::min(0.9, 0.3 * s) * picture->rows), rng)}, picture);
}

}  // namespace quantry::engine
