#include "worker/engine/data/augment/colour_jitter.h"

#include <array>
#include <utility>

#include "worker/engine/data/augment/colour_ops.h"

namespace quantry::engine {
namespace {

struct Change {
  double range;
  void (*apply)(double value, cv::Mat* picture);
  double middle;  // of the value
};

}  // namespace

void JitterColours(const AugmentOptions& options, CounterRng* rng, cv::Mat* picture) {
  std::array<Change, 4> changes = {{{options.brightness, ScaleBrightness, 1.0},
                                    {options.contrast, ScaleContrast, 1.0},
                                    {options.saturation, ScaleColor, 1.0},
                                    {options.hue, TurnHue, 0.0}}};
  for (auto i = static_cast<int64_t>(changes.size()) - 1; i > 0; --i) {
    std::swap(changes[i], changes[rng->Below(i + 1)]);
  }
  for (const Change& change : changes) {
    if (change.range <= 0) continue;
    const double offset = rng->Uniform(-change.range, change.range);
    change.apply(change.middle + offset, picture);
  }
}

}  // namespace quantry::engine
