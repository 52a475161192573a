#ifndef QUANTRY_WORKER_ENGINE_QUANT_HISTOGRAM_H_
#define QUANTRY_WORKER_ENGINE_QUANT_HISTOGRAM_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace quantry::engine {

// How the values of any number of tensors are spread, in constant memory (128 KiB): kBins bins of
// the same width on each side of 0, and exact zeros apart. The range is at first the largest
// magnitude of the first tensor; when a larger one comes, it is doubled until that fits and
// neighbouring bins are added up pairwise, so that counts are never split: the bins are as if the
// range had been known before. Hence a bin is between 1/8192 and 1/4096 of the largest magnitude
// wide (exactly 1/8192 for one tensor). Not thread-safe.
class Histogram {
 public:
  static constexpr int64_t kBins = 8192;

  // x: any shape and floating type. NaN and infinite elements are not counted and make finite()
  // false. Uses LibTorch's threads; the same counts however many there are.
  void Add(const at::Tensor& x);

  bool finite() const { return finite_; }
  int64_t count() const { return count_; }  // elements, with the zeros
  int64_t zeros() const { return zeros_; }
  double width() const { return range_ / static_cast<double>(kBins); }  // 0 if all is 0
  // The exact largest magnitude below and above 0.
  double largest_below() const { return largest_below_; }
  double largest_above() const { return largest_above_; }
  // Bin i counts the magnitudes in [i * width, (i + 1) * width); the last one its upper end, too.
  absl::Span<const int64_t> below() const { return below_; }
  absl::Span<const int64_t> above() const { return above_; }
  // below + above.
  std::vector<int64_t> Magnitudes() const;

 private:
  void GrowTo(double largest);

  bool finite_ = true;
  int64_t count_ = 0;
  int64_t zeros_ = 0;
  double range_ = 0;
  double largest_below_ = 0;
  double largest_above_ = 0;
  std::vector<int64_t> below_ = std::vector<int64_t>(kBins, 0);
  std::vector<int64_t> above_ = std::vector<int64_t>(kBins, 0);
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_HISTOGRAM_H_
