#ifndef QUANTRY_WORKER_ENGINE_FUSE_CHAIN_LEARNING_H_
#define QUANTRY_WORKER_ENGINE_FUSE_CHAIN_LEARNING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/engine/fuse/chain_run.h"
#include "worker/engine/kernels/chain.h"

namespace quantry::engine {

// What the parameters of a chain's quantizers get in one backward pass: looked at piece by piece,
// while another kernel has the piece in the cache anyway.
class ChainLearning {
 public:
  // The arrays are those of the whole tensors; all of it outlives this.
  ChainLearning(const ChainRun& run, ConstElements x, ConstElements r, ConstElements dy);

  // What to do with each piece (fuse/chain_statistics.h); null where nothing learns.
  PieceFunction ForPieces();
  // Afterwards: the gradients.
  LearnedGradients Inner() const { return GradientsOf(inner_, run_.inner_learning); }
  LearnedGradients Outer() const { return GradientsOf(outer_, run_.outer_learning); }

 private:
  using Sums = std::vector<ChainGridSums>;  // of each piece; empty where nothing learns

  ChainGridSums Look(ChainGridPlace place, const GridLearning& learning, int64_t first,
                     int64_t rows) const;
  static LearnedGradients GradientsOf(const Sums& sums, const GridLearning& learning);

  const ChainRun& run_;
  ConstElements x_;
  ConstElements r_;
  ConstElements dy_;
  Sums inner_;
  Sums outer_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_CHAIN_LEARNING_H_
