#ifndef QUANTRY_WORKER_ENGINE_FUSE_CHAIN_STATISTICS_H_
#define QUANTRY_WORKER_ENGINE_FUSE_CHAIN_STATISTICS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "worker/engine/kernels/chain.h"

namespace quantry::engine {

// The kernels of kernels/chain.h over whole tensors, on all threads of LibTorch. Work is cut into
// pieces of a fixed size, whose results are added up in order: the same numbers however many
// threads there are.

// A value as rows of channels (kernels/chain.h).
struct RowShape {
  int64_t rows = 0;
  int64_t channels = 1;
};

// Calls f(piece, first row, rows) for all pieces, in parallel. Pieces start at multiples of
// RowsPerPeriod.
using PieceFunction = std::function<void(int64_t piece, int64_t first, int64_t rows)>;
int64_t PiecesOf(const RowShape& shape);
void ForEachPiece(const RowShape& shape, const PieceFunction& f);

// Of each channel of x.
struct ChannelStatistics {
  std::vector<double> mean;
  std::vector<double> variance;  // biased: over n
  std::vector<float> least;
  std::vector<float> most;
};
ChannelStatistics StatisticsOf(const float* x, const RowShape& shape);

// ChainRangeOf of the whole.
ChainRange RangeOfChain(ConstElements x, ConstElements r, const RowShape& shape,
                        const ElementwiseChain& chain);

// ChainBackwardSums of the whole: per channel the sum of g, and of g * (x - mean). Calls `also`,
// where it is not null, with each piece.
struct GradientSums {
  std::vector<double> gradient;
  std::vector<double> moment;
};
GradientSums BackwardSumsOf(ConstElements x, ConstElements r, ConstElements dy, Elements dr,
                            const RowShape& shape, const ElementwiseChain& chain,
                            const PieceFunction& also = nullptr);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_CHAIN_STATISTICS_H_
