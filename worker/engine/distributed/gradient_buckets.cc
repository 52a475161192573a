#include "worker/engine/distributed/gradient_buckets.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace quantry::engine {

using torch::autograd::variable_list;

// Called after a parameter's gradient was accumulated.
class GradientBuckets::Hook final : public torch::autograd::FunctionPostHook {
 public:
  Hook(GradientBuckets& owner, size_t parameter) : owner_(owner), parameter_(parameter) {}
  variable_list operator()(const variable_list& outputs, const variable_list&) override {
    owner_.OnGradient(parameter_);
    return outputs;
  }

 private:
  GradientBuckets& owner_;
  const size_t parameter_;
};

at::Tensor GradientBuckets::Bucket::Part(size_t index, const at::Tensor& parameter) const {
  return flat.as_strided(parameter.sizes(), parameter.strides(), offsets[index]);
}

GradientBuckets::GradientBuckets(std::vector<at::Tensor> parameters, Collective& ranks,
                                 int64_t bucket_bytes)
    : parameters_(std::move(parameters)), ranks_(ranks), bucket_bytes_(bucket_bytes) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    auto accumulator = torch::autograd::impl::grad_accumulator(parameters_[i]);
    const uintptr_t key = accumulator->add_post_hook(std::make_unique<Hook>(*this, i));
    hooks_.push_back({.accumulator = std::move(accumulator), .key = key});
  }
  // Until the first backward shows better: the last parameter first.
  std::vector<size_t> order(parameters_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = order.size() - 1 - i;
  MakeBuckets(order);
}

GradientBuckets::~GradientBuckets() {
  for (HookHandle& hook : hooks_) hook.accumulator->del_post_hook(hook.key);
}

void GradientBuckets::MakeBuckets(const std::vector<size_t>& order) {
  buckets_.clear();
  bucket_of_.assign(parameters_.size(), 0);
  const int64_t limit = std::max<int64_t>(1, bucket_bytes_ / static_cast<int64_t>(sizeof(float)));
  for (const size_t parameter : order) {
    const int64_t size = parameters_[parameter].numel();
    if (buckets_.empty() ||
        (buckets_.back().elements > 0 && buckets_.back().elements + size > limit)) {
      buckets_.emplace_back();
    }
    Bucket& bucket = buckets_.back();
    bucket.parameters.push_back(parameter);
    bucket.offsets.push_back(bucket.elements);
    bucket.elements += size;
    bucket_of_[parameter] = buckets_.size() - 1;
  }
  for (Bucket& bucket : buckets_) {
    const auto count = static_cast<int64_t>(bucket.parameters.size());
    const at::Device device = parameters_[bucket.parameters.front()].device();
    bucket.flat = at::empty({bucket.elements + count}, at::device(device).dtype(at::kFloat));
  }
}

void GradientBuckets::Begin() {
  arrived_.clear();
  next_ = 0;
  overlapped_ = 0;
  failure_ = absl::OkStatus();
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
  listening_ = true;
}

void GradientBuckets::OnGradient(size_t parameter) {
  if (!listening_) return;
  arrived_.push_back(parameter);
  Bucket& bucket = buckets_[bucket_of_[parameter]];
  if (bucket.missing > 0) --bucket.missing;
  if (ordered_) StartReadyBuckets();
}

void GradientBuckets::StartReadyBuckets() {
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) {
    Start(buckets_[next_++]);
    ++overlapped_;
  }
}

void GradientBuckets::Start(Bucket& bucket) {
  if (!failure_.ok()) return;
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < bucket.parameters.size(); ++i) {
    const at::Tensor& parameter = parameters_[bucket.parameters[i]];
    const at::Tensor& gradient = parameter.grad();
    at::Tensor part = bucket.Part(i, parameter);
    gradient.defined() ? part.copy_(gradient) : part.zero_();
    bucket.flat[bucket.elements + static_cast<int64_t>(i)] = gradient.defined() ? 1.0 : 0.0;
  }
  auto pending = ranks_.StartSum(bucket.flat);
  failure_ = pending.status();
  if (pending.ok()) bucket.pending = *std::move(pending);
}

absl::Status GradientBuckets::TakeResults(Bucket& bucket) {
  QUANTRY_RETURN_IF_ERROR(bucket.pending->Wait());
  bucket.pending.reset();
  for (size_t i = 0; i < bucket.parameters.size(); ++i) {
    if (bucket.flat[bucket.elements + static_cast<int64_t>(i)].item<float>() == 0.0f) continue;
    at::Tensor parameter = parameters_[bucket.parameters[i]];
    at::Tensor& gradient = parameter.mutable_grad();
    if (!gradient.defined()) gradient = at::empty_like(parameter.detach());
    gradient.copy_(bucket.Part(i, parameter));
  }
  return absl::OkStatus();
}

absl::Status GradientBuckets::Finish() {
  const at::NoGradGuard no_grad;
  listening_ = false;
  while (next_ < buckets_.size()) Start(buckets_[next_++]);
  QUANTRY_RETURN_IF_ERROR(failure_);
  for (Bucket& bucket : buckets_) QUANTRY_RETURN_IF_ERROR(TakeResults(bucket));
  return ordered_ || parameters_.empty() ? absl::OkStatus() : FollowArrivals();
}

absl::Status GradientBuckets::FollowArrivals() {
  std::vector<int64_t> order;
  std::vector<bool> there(parameters_.size(), false);
  for (const size_t parameter : arrived_) {
    order.push_back(static_cast<int64_t>(parameter));
    there[parameter] = true;
  }
  // What this backward gave no gradient comes last, so that it holds nobody up.
  for (size_t i = 0; i < there.size(); ++i) {
    if (!there[i]) order.push_back(static_cast<int64_t>(i));
  }
  // One order for all, also where they differ.
  const at::Tensor common = at::tensor(order, at::kLong);
  QUANTRY_RETURN_IF_ERROR(ranks_.Broadcast(common));
  const int64_t* values = common.data_ptr<int64_t>();
  MakeBuckets(std::vector<size_t>(values, values + order.size()));
  ordered_ = true;
  return absl::OkStatus();
}

}  // namespace quantry::engine
