#ifndef QUANTRY_WORKER_ENGINE_DATA_AUGMENT_COLOUR_OPS_H_
#define QUANTRY_WORKER_ENGINE_DATA_AUGMENT_COLOUR_OPS_H_

#include <opencv2/core.hpp>

#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {

// Operations that change colours in their place; as AugmentOp::apply. s is the strength.

void AutoContrast(double, CounterRng*, cv::Mat* picture);  // each channel spread over 0 to 255
void Equalize(double, CounterRng*, cv::Mat* picture);      // each channel's histogram made flat
void Invert(double, CounterRng*, cv::Mat* picture);        // 255 - x
void Posterize(double s, CounterRng*, cv::Mat* picture);  // keeps the 8 - 4 s upper bits, 1 or more
void Solarize(double s, CounterRng*, cv::Mat* picture);   // inverts values of 256 (1 - s) and more

// Factor 1 + 0.9 s or 1 - 0.9 s (not below 0), drawn; see the Scale functions.
void Brightness(double s, CounterRng* rng, cv::Mat* picture);
void Contrast(double s, CounterRng* rng, cv::Mat* picture);
void Color(double s, CounterRng* rng, cv::Mat* picture);
void Sharpness(double s, CounterRng* rng, cv::Mat* picture);

// base + factor * (x - base), rounded and clamped to 0 to 255, where base is
void ScaleBrightness(double factor, cv::Mat* picture);  // black
void ScaleContrast(double factor, cv::Mat* picture);    // the grey that is the picture's mean
void ScaleColor(double factor, cv::Mat* picture);       // the pixel's own grey (ITU-R BT.601)
void ScaleSharpness(double factor, cv::Mat* picture);   // the smoothed picture

// Turns hues by `turn` of a full circle.
void TurnHue(double turn, cv::Mat* picture);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_AUGMENT_COLOUR_OPS_H_
