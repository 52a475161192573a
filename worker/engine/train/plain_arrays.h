#ifndef QUANTRY_WORKER_ENGINE_TRAIN_PLAIN_ARRAYS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_PLAIN_ARRAYS_H_

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <initializer_list>

namespace quantry::engine {

// Whether kernels of plain float arrays can walk the tensors side by side.
inline bool ArePlainArrays(std::initializer_list<at::Tensor> tensors) {
  for (const at::Tensor& tensor : tensors) {
    const bool plain = tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
    if (!plain || !tensor.is_contiguous()) return false;
  }
  return true;
}

// Calls f(first, count) for parts that together are [0, count), on all threads of LibTorch.
template <typename Function>
void ForEachPart(int64_t count, const Function& f) {
  constexpr int64_t kGrain = 1 << 15;  // elements that are worth a thread
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) { f(begin, end - begin); });
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_PLAIN_ARRAYS_H_
