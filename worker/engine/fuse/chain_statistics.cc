#include "worker/engine/fuse/chain_statistics.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantry::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Elements of a piece: few enough for float32 sums to be precise, and to stay in the first cache.
constexpr int64_t kPieceElements = 4096;
// What is kept per piece and channel must cost little beside the piece.
constexpr int64_t kPieceRows = 64;

int64_t RowsOfPiece(const RowShape& shape) {
  const int64_t wanted = std::max(kPieceRows, kPieceElements / shape.channels);
  const int64_t period = RowsPerPeriod(shape.channels);
  return (wanted + period - 1) / period * period;
}

// One array of a period per piece.
class PeriodPerPiece {
 public:
  PeriodPerPiece(const RowShape& shape, float start)
      : period_(RowsPerPeriod(shape.channels) * shape.channels),
        values_(static_cast<size_t>(PiecesOf(shape) * period_), start) {}

  float* Of(int64_t piece) { return values_.data() + piece * period_; }
  const std::vector<float>& values() const { return values_; }

 private:
  int64_t period_;
  std::vector<float> values_;
};

// Over pieces and rows of a period, in order.
std::vector<double> SumPerChannel(const std::vector<float>& values, int64_t channels) {
  std::vector<double> sums(static_cast<size_t>(channels), 0.0);
  for (size_t first = 0; first < values.size(); first += sums.size()) {
    for (size_t c = 0; c < sums.size(); ++c) sums[c] += static_cast<double>(values[first + c]);
  }
  return sums;
}

template <typename Choose>
std::vector<float> BestPerChannel(const std::vector<float>& values, int64_t channels,
                                  Choose choose) {
  std::vector<float> best(values.begin(), values.begin() + channels);
  for (size_t first = 0; first < values.size(); first += best.size()) {
    for (size_t c = 0; c < best.size(); ++c) best[c] = choose(best[c], values[first + c]);
  }
  return best;
}

}  // namespace

int64_t PiecesOf(const RowShape& shape) {
  const int64_t rows = RowsOfPiece(shape);
  return (shape.rows + rows - 1) / rows;
}

void ForEachPiece(const RowShape& shape, const PieceFunction& f) {
  const int64_t rows = RowsOfPiece(shape);
  at::parallel_for(0, PiecesOf(shape), 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece * rows;
      f(piece, first, std::min(rows, shape.rows - first));
    }
  });
}

ChannelStatistics StatisticsOf(const float* x, const RowShape& shape) {
  const int64_t channels = shape.channels;
  // The first row is near the mean, as far as cancellation goes.
  const std::vector<float> origin(x, x + channels);
  const std::vector<float> periodic_origin = Periodic(origin);
  PeriodPerPiece sum(shape, 0.0f), square(shape, 0.0f);
  PeriodPerPiece least(shape, kInfinity), most(shape, -kInfinity);
  ForEachPiece(shape, [&](int64_t piece, int64_t first, int64_t rows) {
    AccumulateMoments(x + first * channels, rows, channels,
                      {.sum = sum.Of(piece),
                       .square = square.Of(piece),
                       .least = least.Of(piece),
                       .most = most.Of(piece),
                       .origin = periodic_origin.data()});
  });
  ChannelStatistics statistics = {
      .mean = SumPerChannel(sum.values(), channels),
      .variance = SumPerChannel(square.values(), channels),
      .least =
          BestPerChannel(least.values(), channels, [](float a, float b) { return std::min(a, b); }),
      .most =
          BestPerChannel(most.values(), channels, [](float a, float b) { return std::max(a, b); })};
  const double n = static_cast<double>(shape.rows);
  for (size_t c = 0; c < origin.size(); ++c) {
    const double distance = statistics.mean[c] / n;
    statistics.mean[c] = static_cast<double>(origin[c]) + distance;
    const double variance = statistics.variance[c] / n - distance * distance;
    statistics.variance[c] = variance < 0 ? 0 : variance;  // NaN stays
  }
  return statistics;
}

ChainRange RangeOfChain(ConstElements x, ConstElements r, const RowShape& shape,
                        const ElementwiseChain& chain) {
  std::vector<ChainRange> ranges(static_cast<size_t>(PiecesOf(shape)));
  ForEachPiece(shape, [&](int64_t piece, int64_t first, int64_t rows) {
    const int64_t offset = first * shape.channels;
    ranges[static_cast<size_t>(piece)] =
        ChainRangeOf(From(x, offset), From(r, offset), rows, chain);
  });
  ChainRange whole = {kInfinity, -kInfinity};
  for (const ChainRange& range : ranges) {
    if (std::isnan(range.least)) return range;
    whole = {std::min(whole.least, range.least), std::max(whole.most, range.most)};
  }
  return whole;
}

GradientSums BackwardSumsOf(ConstElements x, ConstElements r, ConstElements dy, Elements dr,
                            const RowShape& shape, const ElementwiseChain& chain,
                            const PieceFunction& also) {
  PeriodPerPiece gradient(shape, 0.0f), moment(shape, 0.0f);
  ForEachPiece(shape, [&](int64_t piece, int64_t first, int64_t rows) {
    const int64_t offset = first * shape.channels;
    ChainBackwardSums(From(x, offset), From(r, offset), From(dy, offset), From(dr, offset), rows,
                      chain, {.gradient = gradient.Of(piece), .moment = moment.Of(piece)});
    if (also) also(piece, first, rows);
  });
  return {.gradient = SumPerChannel(gradient.values(), shape.channels),
          .moment = SumPerChannel(moment.values(), shape.channels)};
}

}  // namespace quantry::engine
