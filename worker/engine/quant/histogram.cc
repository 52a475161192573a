#include "worker/engine/quant/histogram.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace quantry::engine {
namespace {

// Work of one task: much more than its own bins.
constexpr int64_t kElementsPerTask = int64_t{1} << 18;

// What one pass over some elements finds.
struct Extremes {
  bool finite = true;
  float below = 0;
  float above = 0;

  void Merge(const Extremes& other) {
    finite = finite && other.finite;
    below = std::max(below, other.below);
    above = std::max(above, other.above);
  }
};

struct Counts {
  int64_t seen = 0;
  int64_t zeros = 0;
  std::vector<int64_t> below = std::vector<int64_t>(Histogram::kBins, 0);
  std::vector<int64_t> above = std::vector<int64_t>(Histogram::kBins, 0);
};

Extremes FindExtremes(const float* x, int64_t begin, int64_t end) {
  Extremes found;
  for (int64_t i = begin; i < end; ++i) {
    if (!std::isfinite(x[i])) {
      found.finite = false;
      continue;
    }
    found.above = std::max(found.above, x[i]);
    found.below = std::max(found.below, -x[i]);
  }
  return found;
}

void Count(const float* x, int64_t begin, int64_t end, double bins_per_unit, Counts& counts) {
  for (int64_t i = begin; i < end; ++i) {
    const double value = x[i];
    if (!std::isfinite(value)) continue;
    ++counts.seen;
    if (value == 0) {
      ++counts.zeros;
      continue;
    }
    // At most kBins: the range holds every finite value.
    const auto bin = std::min(static_cast<int64_t>(std::fabs(value) * bins_per_unit),
                              Histogram::kBins - 1);
    ++(value < 0 ? counts.below : counts.above)[static_cast<size_t>(bin)];
  }
}

void AddTo(std::vector<int64_t>& sums, const std::vector<int64_t>& more) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += more[i];
}

void HalveResolution(std::vector<int64_t>& bins) {
  const size_t half = bins.size() / 2;
  for (size_t i = 0; i < half; ++i) bins[i] = bins[2 * i] + bins[2 * i + 1];
  std::fill(bins.begin() + static_cast<int64_t>(half), bins.end(), 0);
}

}  // namespace

void Histogram::GrowTo(double largest) {
  if (range_ == 0) range_ = largest;
  while (range_ < largest) {
    range_ *= 2;
    HalveResolution(below_);
    HalveResolution(above_);
  }
}

void Histogram::Add(const at::Tensor& x) {
  const at::Tensor flat = x.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = flat.data_ptr<float>();
  std::mutex mutex;
  Extremes extremes;
  at::parallel_for(0, flat.numel(), kElementsPerTask, [&](int64_t begin, int64_t end) {
    const Extremes found = FindExtremes(data, begin, end);
    const std::lock_guard<std::mutex> lock(mutex);
    extremes.Merge(found);
  });
  finite_ = finite_ && extremes.finite;
  largest_below_ = std::max<double>(largest_below_, extremes.below);
  largest_above_ = std::max<double>(largest_above_, extremes.above);
  GrowTo(std::max(largest_below_, largest_above_));
  const double bins_per_unit = range_ > 0 ? static_cast<double>(kBins) / range_ : 0;
  at::parallel_for(0, flat.numel(), kElementsPerTask, [&](int64_t begin, int64_t end) {
    Counts counts;
    Count(data, begin, end, bins_per_unit, counts);
    const std::lock_guard<std::mutex> lock(mutex);
    count_ += counts.seen;
    zeros_ += counts.zeros;
    AddTo(below_, counts.below);
    AddTo(above_, counts.above);
  });
}

std::vector<int64_t> Histogram::Magnitudes() const {
  std::vector<int64_t> sums = below_;
  AddTo(sums, above_);
  return sums;
}

}  // namespace quantry::engine
