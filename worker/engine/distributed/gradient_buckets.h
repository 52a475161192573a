#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_GRADIENT_BUCKETS_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_GRADIENT_BUCKETS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "worker/engine/distributed/collective.h"

namespace torch::autograd {
struct Node;
}

namespace quantry::engine {

// Adds up the gradients of all ranks while backward still runs (Li et al., "PyTorch Distributed",
// VLDB 2020, section 3.2): as soon as every parameter of a bucket has its gradient, the bucket's
// sum starts in the background. The first backward shows in which order gradients come; from then
// on the buckets follow it. Buckets start in one order on all ranks whatever the timing. Not
// thread-safe; backward must run in the thread that calls it, as it does on the CPU.
//
//   buckets.Begin();
//   loss.backward();
//   QUANTRY_RETURN_IF_ERROR(buckets.Finish());
class GradientBuckets {
 public:
  // Float32 leaves that ask for gradients, the same on all ranks; dense, on one device. `ranks`
  // must outlive the object. A bucket holds up to `bucket_bytes`, or one larger parameter.
  GradientBuckets(std::vector<at::Tensor> parameters, Collective& ranks,
                  int64_t bucket_bytes = kBucketBytes);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  static constexpr int64_t kBucketBytes = int64_t{25} << 20;

  // The next backward completes the gradients: what is in grad() after it is this rank's part, of
  // that backward and of any before.
  void Begin();
  // Replaces every grad() by the sum over all ranks. A parameter that has none on any rank keeps
  // none.
  absl::Status Finish();

  size_t bucket_count() const { return buckets_.size(); }
  // Of the last Finish: buckets whose sum had begun before backward ended.
  size_t overlapped() const { return overlapped_; }

 private:
  class Hook;
  // Keeps a parameter's hook in place.
  struct HookHandle {
    std::shared_ptr<torch::autograd::Node> accumulator;
    uintptr_t key = 0;
  };
  struct Bucket {
    std::vector<size_t> parameters;
    std::vector<int64_t> offsets;  // in `flat`, by parameter
    // All gradients, then per parameter how many ranks have one.
    at::Tensor flat;
    int64_t elements = 0;  // of gradients
    size_t missing = 0;    // gradients that have not come since Begin
    std::unique_ptr<PendingReduction> pending;

    // The part of one parameter, in its shape and layout.
    at::Tensor Part(size_t index, const at::Tensor& parameter) const;
  };

  void OnGradient(size_t parameter);
  void MakeBuckets(const std::vector<size_t>& order);
  void StartReadyBuckets();
  void Start(Bucket& bucket);
  absl::Status TakeResults(Bucket& bucket);
  // Lays the buckets out as the gradients came on rank 0.
  absl::Status FollowArrivals();

  const std::vector<at::Tensor> parameters_;
  Collective& ranks_;
  const int64_t bucket_bytes_;
  std::vector<HookHandle> hooks_;

  bool listening_ = false;
  bool ordered_ = false;         // the buckets follow the order of a backward
  std::vector<size_t> arrived_;  // parameters, as their gradients came since Begin
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;  // by parameter
  size_t next_ = 0;                // the first bucket that was not started
  size_t overlapped_ = 0;
  absl::Status failure_;  // of starting a bucket
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_GRADIENT_BUCKETS_H_
