#include "worker/engine/fuse/chain_learning.h"

#include <ATen/ATen.h>

#include "worker/engine/fuse/chain_statistics.h"

namespace quantry::engine {

ChainLearning::ChainLearning(const ChainRun& run, ConstElements x, ConstElements r,
                             ConstElements dy)
    : run_(run), x_(x), r_(r), dy_(dy) {
  const auto pieces = static_cast<size_t>(PiecesOf(run.shape));
  if (run.inner_learning.parameter.defined()) inner_.resize(pieces);
  if (run.outer_learning.parameter.defined()) outer_.resize(pieces);
}

PieceFunction ChainLearning::ForPieces() {
  if (inner_.empty() && outer_.empty()) return nullptr;
  return [this](int64_t piece, int64_t first, int64_t rows) {
    const auto i = static_cast<size_t>(piece);
    if (!inner_.empty()) {
      inner_[i] = Look(ChainGridPlace::kInner, run_.inner_learning, first, rows);
    }
    if (!outer_.empty()) {
      outer_[i] = Look(ChainGridPlace::kOuter, run_.outer_learning, first, rows);
    }
  };
}

ChainGridSums ChainLearning::Look(ChainGridPlace place, const GridLearning& learning, int64_t first,
                                  int64_t rows) const {
  const int64_t offset = first * run_.shape.channels;
  return ChainGridSumsOf(From(x_, offset), From(r_, offset), From(dy_, offset), rows, run_.chain,
                         {.place = place,
                          .low = static_cast<float>(learning.low),
                          .high = static_cast<float>(learning.high)});
}

LearnedGradients ChainLearning::GradientsOf(const Sums& sums, const GridLearning& learning) {
  if (sums.empty()) return {};
  ChainGridSums whole;
  for (const ChainGridSums& piece : sums) {
    whole.below += piece.below;
    whole.above += piece.above;
    whole.rounding += piece.rounding;
  }
  const auto like = [](const at::Tensor& parameter, double value) {
    return parameter.defined()
               ? at::full_like(parameter, value, at::TensorOptions().requires_grad(false))
               : at::Tensor();
  };
  return {
      .parameter = like(learning.parameter, learning.by_below * whole.below +
                                                learning.by_above * whole.above +
                                                learning.by_rounding * whole.rounding),
      .offset = like(learning.offset, learning.offset_by_clipped * (whole.below + whole.above))};
}

}  // namespace quantry::engine
