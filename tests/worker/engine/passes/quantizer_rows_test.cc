// Every line of the table of quantizers, in a graph, against formulas worked one number at a time.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/worker/engine/passes/one_quantizer.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

// One scale's share of a tensor as plain numbers.
struct Row {
  std::vector<float> x, dy, y, dx;
};

std::vector<Row> RowsOf(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& y,
                        const at::Tensor& dx, int64_t axis) {
  std::vector<Row> rows;
  const int64_t count = axis < 0 ? 1 : x.size(axis);
  for (int64_t i = 0; i < count; ++i) {
    const auto part = [&](const at::Tensor& t) { return Flat(axis < 0 ? t : t.select(axis, i)); };
    rows.push_back({part(x), part(dy), part(y), part(dx)});
  }
  return rows;
}

double LargestOf(const std::vector<float>& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(double{value}));
  return largest;
}

double MeanOf(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += std::fabs(value);
  return sum / static_cast<double>(values.size());
}

// How far the values reach below (sign -1) or above (sign 1) zero.
double Reach(const std::vector<float>& values, float sign) {
  float reach = 0;
  for (const float value : values) reach = std::max(reach, sign * value);
  return reach;
}

float Round(float v, bool away) { return away ? std::round(v) : std::nearbyint(v); }

// What the scale must be after one tensor was calibrated with and another trained on, of thresholds
// that are not learned. `m` and `then` are their magnitudes.
double ExpectedThreshold(const FakeQuantizeSpec& spec, double m, double then) {
  if (spec.quantizer == "moving_average_abs_max") {
    const double start = spec.reference_start ? 1 : 0, r = spec.moving_rate;
    const double state = r * (r * start + 1) + 1;
    return (r * (r * start + m) + then) / state;
  }
  if (spec.quantizer == "range_abs_max") return std::max(m, then);
  return then;  // abs_max: of the tensor itself
}

void CheckThreshold(const FakeQuantizeSpec& spec, const Row& row, float s) {
  const bool away = spec.rounding == Rounding::kHalfAwayFromZero;
  const auto q = static_cast<float>((1 << (spec.bits - 1)) - 1);
  for (size_t i = 0; i < row.x.size(); ++i) {
    const float clamped = std::fmin(std::fmax(row.x[i], -s), s);
    const float step = s / q;
    const float y =
        away ? std::round(clamped * q / s) * s / q : std::nearbyint(clamped / step) * step;
    ASSERT_EQ(row.y[i], y) << row.x[i];
    const bool passes = away || std::fabs(row.x[i]) <= s;
    ASSERT_EQ(row.dx[i], passes ? row.dy[i] : 0.0f) << row.x[i];
  }
}

// Of an asymmetric range: low and high are what the 2^bits integers reach around zero.
void CheckRange(const FakeQuantizeSpec& spec, const Row& row, float below, float above) {
  const bool away = spec.rounding == Rounding::kHalfAwayFromZero;
  const auto levels = static_cast<float>((1 << spec.bits) - 1);
  const float step = (below + above) / levels;
  const float zero_point = std::nearbyint(below / step);
  const float low = -zero_point * step, high = (levels - zero_point) * step;
  for (size_t i = 0; i < row.x.size(); ++i) {
    const float clamped = std::fmin(std::fmax(row.x[i], low), high);
    ASSERT_EQ(row.y[i], Round(clamped / step, away) * step) << row.x[i];
    const bool passes = away || (row.x[i] >= low && row.x[i] <= high);
    ASSERT_EQ(row.dx[i], passes ? row.dy[i] : 0.0f) << row.x[i];
  }
}

// Sums of a learned step and offset, before g.
struct LearnedSums {
  double step = 0;
  double offset = 0;
};

// `qn` and `qp` are the integers at the ends, `zero` what LSQ+ takes off them in the derivative.
LearnedSums CheckLearned(const FakeQuantizeSpec& spec, const Row& row, float step, double qn,
                         double qp, double zero) {
  const bool away = spec.rounding == Rounding::kHalfAwayFromZero;
  LearnedSums sums;
  for (size_t i = 0; i < row.x.size(); ++i) {
    const float low = static_cast<float>(qn) * step, high = static_cast<float>(qp) * step;
    const float clamped = std::fmin(std::fmax(row.x[i], low), high);
    EXPECT_EQ(row.y[i], Round(clamped / step, away) * step) << row.x[i];
    const bool below = row.x[i]<low, above = row.x[i]> high;
    EXPECT_EQ(row.dx[i], below || above ? 0.0f : row.dy[i]) << row.x[i];
    const float v = row.x[i] / step;
    sums.step += row.dy[i] * (below ? qn + zero : above ? qp + zero : Round(v, away) - double{v});
    sums.offset += below || above ? row.dy[i] : 0;
  }
  return sums;
}

struct Case {
  const QuantizerDef* def;
  bool is_weight;
  bool symmetric;
  bool reference;
  int bits;
};

std::string NameOf(const Case& c) {
  return std::string(c.def->name) + (c.is_weight ? " weight" : " activation") +
         (c.symmetric ? "" : " asymmetric") + (c.reference ? " reference" : "") + " " +
         std::to_string(c.bits);
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const QuantizerDef& def : QuantizerTable()) {
    for (const bool is_weight : {true, false}) {
      if (is_weight ? !def.for_weights : !def.for_activations) continue;
      for (const bool symmetric : {true, false}) {
        if ((is_weight && !symmetric) || (def.learned_offset && symmetric)) continue;
        for (const bool reference : {false, true}) {
          for (const int bits : {2, 4, 8, 9, 16}) {
            cases.push_back({&def, is_weight, symmetric, reference, bits});
          }
        }
      }
    }
  }
  return cases;
}

FakeQuantizeSpec SpecOfCase(const Case& c) {
  FakeQuantizeSpec spec = {.quantizer = std::string(c.def->name),
                           .bits = c.bits,
                           .axis = c.def->per_channel ? 0 : -1,
                           .is_weight = c.is_weight,
                           .symmetric = c.symmetric,
                           .moving_rate = 0.75f,
                           .window_size = 3};
  if (c.reference) UseReference(spec);
  return spec;
}

// Dense, channels_last, and with gaps.
std::vector<at::Tensor> Layouts() {
  const at::Tensor gappy = at::randn({3, 4, 5, 12}).slice(3, 0, 12, 2);
  EXPECT_FALSE(gappy.is_non_overlapping_and_dense());
  return {at::randn({3, 4, 5, 6}),
          at::randn({3, 4, 5, 6}).contiguous(at::MemoryFormat::ChannelsLast), gappy};
}

// Runs calibration on `first` and a training step on `x` with gradient `dy`; for weights both are
// the weight.
struct Trained {
  OneQuantizer quantizer;
  at::Tensor y, dx;

  Trained(const FakeQuantizeSpec& spec, const at::Tensor& first, const at::Tensor& x,
          const at::Tensor& dy)
      : quantizer(spec, spec.is_weight ? x : at::Tensor()) {
    if (spec.is_weight) {
      quantizer.Run(RunPhase::kCalibrate);
      y = quantizer.Run(RunPhase::kTrain);
      y.backward(dy);
      dx = quantizer.Tensor("x").grad();
    } else {
      quantizer.Run(RunPhase::kCalibrate, first);
      const at::Tensor input = x.detach().set_requires_grad(true);
      y = quantizer.Run(RunPhase::kTrain, input);
      y.backward(dy);
      dx = input.grad();
    }
  }
};

void CheckThresholds(const FakeQuantizeSpec& spec, const Trained& trained,
                     const std::vector<Row>& rows, const std::vector<Row>& firsts) {
  const bool own = spec.quantizer == "abs_max" || spec.quantizer == "channel_wise_abs_max";
  const at::Tensor kept = trained.quantizer.Tensor("x.scale").reshape(-1);
  if (!spec.symmetric) {
    const double below = ExpectedThreshold(spec, Reach(firsts[0].x, -1), Reach(rows[0].x, -1));
    const double above = ExpectedThreshold(spec, Reach(firsts[0].x, 1), Reach(rows[0].x, 1));
    const float b = own ? static_cast<float>(below) : kept[0].item<float>();
    const float a = own ? static_cast<float>(above) : kept[1].item<float>();
    EXPECT_NEAR(b, below, 1e-5);
    EXPECT_NEAR(a, above, 1e-5);
    CheckRange(spec, rows[0], b, a);
    return;
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const double expected = ExpectedThreshold(spec, LargestOf(firsts[i].x), LargestOf(rows[i].x));
    const float s =
        own ? static_cast<float>(expected) : kept[static_cast<int64_t>(i)].item<float>();
    EXPECT_NEAR(s, expected, 1e-5);
    CheckThreshold(spec, rows[i], s);
  }
}

void CheckSteps(const FakeQuantizeSpec& spec, const QuantizerDef& def, const Trained& trained,
                const std::vector<Row>& rows, const std::vector<Row>& firsts) {
  const at::Tensor parameter = trained.quantizer.Tensor("x.learned_step");
  const at::Tensor steps = parameter.detach().reshape(-1);
  const at::Tensor gradients = parameter.grad().reshape(-1);
  const double levels = (1 << spec.bits) - 1, q = (1 << (spec.bits - 1)) - 1;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto step = steps[static_cast<int64_t>(i)].item<float>();
    const double below = Reach(firsts[i].x, -1), above = Reach(firsts[i].x, 1);
    double qn = spec.full_range ? -q - 1 : -q, qp = q, zero = 0, sharing = q;
    double start = 2 * MeanOf(firsts[i].x) / std::sqrt(q);
    if (!spec.symmetric) {
      const double zero_point = std::nearbyint(below / (below + above) * levels);
      qn = -zero_point;
      qp = levels - zero_point;
      sharing = std::max(zero_point, qp);
      start = 2 * MeanOf(firsts[i].x) / std::sqrt(sharing);
    }
    if (def.learned_offset) {
      start = (below + above) / levels;
      zero = -qn;
      sharing = levels;
    }
    EXPECT_NEAR(step, start, 1e-5 * start);
    const LearnedSums sums = CheckLearned(spec, rows[i], step, qn, qp, zero);
    const auto n = static_cast<double>(rows[i].x.size()) / (spec.is_weight ? 1 : 3);
    const double g = 1 / std::sqrt(n * sharing);
    EXPECT_NEAR(gradients[static_cast<int64_t>(i)].item<double>(), g * sums.step,
                1e-3 * std::fabs(g * sums.step) + 2e-4);
    if (def.learned_offset) {
      EXPECT_NEAR(trained.quantizer.Tensor("x.learned_offset").grad().item<double>(),
                  g * sums.offset, 1e-3 * std::fabs(g * sums.offset) + 1e-5);
    }
  }
}

// y = m * (2 * round(L * (tanh w / (2 M) + 1/2)) / L - 1), L = 2^bits - 1; from 8 bits on
// m * round(q * tanh w / M) / q. dw = dy * m * (1 - tanh^2) / M.
void CheckDorefa(const FakeQuantizeSpec& spec, const Row& row) {
  const bool away = spec.rounding == Rounding::kHalfAwayFromZero;
  double m = LargestOf(row.x), largest = std::tanh(m);
  const double levels = (1 << spec.bits) - 1, q = (1 << (spec.bits - 1)) - 1;
  const double step = spec.bits < 8 ? 2 * m / levels : m / q;
  for (size_t i = 0; i < row.x.size(); ++i) {
    const double t = std::tanh(double{row.x[i]}) / largest;
    const auto unit = static_cast<float>(t);
    const double y =
        spec.bits < 8
            ? m * (2 * Round((unit / 2 + 0.5f) * static_cast<float>(levels), away) / levels - 1)
            : m * Round(unit * static_cast<float>(q), away) / q;
    // A neighbour only where the middle of two is nearer than float32 can tell.
    const double in_steps = spec.bits < 8 ? (t / 2 + 0.5) * levels : t * q;
    const double to_tie = std::fabs(in_steps - std::floor(in_steps) - 0.5);
    ASSERT_NEAR(row.y[i], y, to_tie < 1e-2 ? 1.01 * step : 1e-5 * m) << row.x[i];
    const double slope = m * (1 - std::pow(std::tanh(double{row.x[i]}), 2)) / largest;
    ASSERT_NEAR(row.dx[i], row.dy[i] * slope, 1e-4) << row.x[i];
  }
}

TEST(QuantizerRowsTest, EveryLineForwardAndBackwardInEveryLayout) {
  at::manual_seed(11);
  for (const Case& c : AllCases()) {
    const FakeQuantizeSpec spec = SpecOfCase(c);
    for (const at::Tensor& x : Layouts()) {
      SCOPED_TRACE(NameOf(c));
      const at::Tensor first = spec.is_weight ? x : at::randn(x.sizes()) * 0.8;
      const at::Tensor dy = at::randn(x.sizes());
      const Trained trained(spec, first, x, dy);
      ASSERT_TRUE(trained.quantizer.status().ok()) << trained.quantizer.status();
      ASSERT_EQ(trained.y.sizes(), x.sizes());
      const auto rows = RowsOf(x, dy, trained.y, trained.dx, spec.axis);
      const auto firsts = RowsOf(first, dy, dy, dy, spec.axis);
      if (c.def->mapping == Mapping::kTanh) {
        CheckDorefa(spec, rows[0]);
      } else if (c.def->learned) {
        CheckSteps(spec, *c.def, trained, rows, firsts);
      } else {
        CheckThresholds(spec, trained, rows, firsts);
      }
    }
  }
}

// What evaluation computes, is what the integers of QParams stand for, in every line of the table.
TEST(QuantizerRowsTest, EvaluationIsTheIntegersTimesTheStep) {
  at::manual_seed(12);
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(NameOf(c));
    FakeQuantizeSpec spec = SpecOfCase(c);
    spec.dynamic = false;
    const at::Tensor x = at::randn({3, 40});
    const OneQuantizer quantizer(spec, c.is_weight ? x : at::Tensor());
    const at::NoGradGuard no_grad;
    quantizer.Run(RunPhase::kCalibrate, c.is_weight ? at::Tensor() : x * 0.7);
    const at::Tensor y = quantizer.Run(RunPhase::kEvaluate, c.is_weight ? at::Tensor() : x);
    const QParams qparams = EvaluationQParams(quantizer.node());
    const at::Tensor integers = QuantizeToIntegers(x, qparams, spec.axis);
    EXPECT_GE(integers.min().item<int64_t>(), qparams.qmin);
    EXPECT_LE(integers.max().item<int64_t>(), qparams.qmax);
    EXPECT_GE(qparams.zero_point, qparams.qmin);
    EXPECT_LE(qparams.zero_point, qparams.qmax);
    const at::Tensor values =
        (integers - qparams.zero_point).to(at::kFloat) * BroadcastAlong(qparams.step, x, spec.axis);
    EXPECT_TRUE(at::allclose(values, y, 1e-6, 1e-7)) << (values - y).abs().max();
    if (c.def->mapping == Mapping::kNone) {
      // 0 is represented exactly.
      EXPECT_EQ(QuantizeToIntegers(at::zeros_like(x), qparams, spec.axis).max().item<int64_t>(),
                qparams.zero_point);
    }
  }
}

TEST(QuantizerRowsTest, EmptyTensorsPassAndTeachNothing) {
  for (const QuantizerDef& def : QuantizerTable()) {
    if (!def.for_activations) continue;
    const OneQuantizer quantizer({.quantizer = std::string(def.name), .bits = 4});
    const at::Tensor empty = at::empty({0, 3});
    for (const RunPhase phase : {RunPhase::kCalibrate, RunPhase::kTrain, RunPhase::kEvaluate}) {
      EXPECT_EQ(quantizer.Run(phase, empty).sizes(), empty.sizes()) << def.name;
    }
    EXPECT_EQ(quantizer.Number("x.initialized"), 0) << def.name;
  }
}

// NaN comes out as NaN wherever it goes in; infinity, once the range is finite, is its end.
TEST(QuantizerRowsTest, NanShowsAndInfinityIsClipped) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Case& c : AllCases()) {
    if (c.is_weight) continue;
    SCOPED_TRACE(NameOf(c));
    FakeQuantizeSpec spec = SpecOfCase(c);
    spec.dynamic = false;
    const OneQuantizer quantizer(spec);
    const at::NoGradGuard no_grad;
    quantizer.Run(RunPhase::kCalibrate, at::linspace(-1, 2, 30));
    const at::Tensor y =
        quantizer.Run(RunPhase::kEvaluate, at::tensor({nan, infinity, -infinity, 0.0f}));
    const QParams qparams = EvaluationQParams(quantizer.node());
    EXPECT_TRUE(std::isnan(y[0].item<float>()));
    EXPECT_NEAR(y[1].item<float>(), qparams.high.item<float>(), 1e-5);
    EXPECT_NEAR(y[2].item<float>(), qparams.low.item<float>(), 1e-5);
    EXPECT_EQ(y[3].item<float>(), 0.0f);
    // What has seen NaN in calibration quantizes to nothing else.
    const OneQuantizer blind(spec);
    blind.Run(RunPhase::kCalibrate, at::tensor({nan, 1.0f}));
    EXPECT_TRUE(blind.Run(RunPhase::kEvaluate, at::ones({3})).isnan().all().item<bool>());
  }
}

TEST(QuantizerRowsTest, ImpossibleSpecsAreRefusedByName) {
  const auto refusal = [](FakeQuantizeSpec spec, const at::Tensor& weight = {}) {
    return std::string(OneQuantizer(spec, weight).status().message());
  };
  const at::Tensor w = at::ones({2, 2});
  EXPECT_NE(refusal({.bits = 1}).find("2 to 16"), std::string::npos);
  EXPECT_NE(refusal({.bits = 17}).find("2 to 16"), std::string::npos);
  EXPECT_NE(refusal({.calibrator = "median"}).find("median"), std::string::npos);
  EXPECT_NE(refusal({.calibrator_percentile = 50}).find("above 50"), std::string::npos);
  EXPECT_NE(refusal({.quantizer = "lsq_weight"}).find("not for activations"), std::string::npos);
  EXPECT_NE(refusal({.quantizer = "lsq_act", .is_weight = true}, w).find("not for weights"),
            std::string::npos);
  EXPECT_NE(refusal({.quantizer = "dorefa_weight", .is_weight = true, .pact = true}, w)
                .find("PACT and 'dorefa_weight'"),
            std::string::npos);
}

}  // namespace
}  // namespace quantry::engine
