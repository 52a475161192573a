#include "worker/engine/evaluate/task_metrics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

namespace quantry::engine {
namespace {

std::map<std::string, double> ByName(const TaskMetrics& metrics) {
  std::map<std::string, double> values;
  for (const NamedMetric& value : metrics.Values()) values[std::string(value.name)] = value.value;
  return values;
}

TEST(AveragePrecisionTest, IsTheAreaUnderTheSteps) {
  // Hits at ranks 1 and 3: (1/1 + 2/3) / 2.
  EXPECT_NEAR(AveragePrecision(at::tensor({0.9f, 0.8f, 0.7f, 0.1f}), at::tensor({1, 0, 1, 0})),
              (1.0 + 2.0 / 3.0) / 2, 1e-12);
  // Equal scores are one step, whatever their order: precision 1/2 for both hits' share.
  EXPECT_NEAR(AveragePrecision(at::tensor({0.5f, 0.5f}), at::tensor({1, 0})), 0.5, 1e-12);
  EXPECT_NEAR(AveragePrecision(at::tensor({0.5f, 0.5f}), at::tensor({0, 1})), 0.5, 1e-12);
}

TEST(TaskMetricsTest, LabelsAddUpOverBatches) {
  TaskMetrics metrics(TargetKind::kMultiLabel);
  EXPECT_TRUE(metrics.Values().empty());
  metrics.Add(at::tensor({2.0f, -1.0f, 1.0f, 1.0f}).reshape({2, 2}),
              at::tensor({1.0f, 0.0f, 0.0f, 1.0f}).reshape({2, 2}));
  metrics.Add(at::tensor({-3.0f, 2.0f}).reshape({1, 2}), at::tensor({1.0f, 0.0f}).reshape({1, 2}));
  const auto values = ByName(metrics);
  // Label 0: scores 2 (hit), 1, -3 (hit): (1 + 2/3) / 2. Label 1: scores 2, 1 (hit), -1: 1/2.
  EXPECT_NEAR(values.at("mean_average_precision"), ((1 + 2.0 / 3) / 2 + 0.5) / 2, 1e-12);
  // Given: 4 (2, 1, 1, 2); true: 3; hits: 2.
  EXPECT_NEAR(values.at("f1"), 2 * 2.0 / (4 + 3), 1e-12);
  EXPECT_NEAR(values.at("subset_accuracy"), 1.0 / 3, 1e-12);
  EXPECT_EQ(metrics.score(), values.at("mean_average_precision"));
  EXPECT_EQ(metrics.examples(), 3);
}

TEST(TaskMetricsTest, ValuesMatchOneLongBatch) {
  const at::Tensor targets = at::arange(12, at::kFloat).reshape({6, 2}) + 1000.0f;
  const at::Tensor outputs = targets + at::tensor({1.0f, -2.0f});
  TaskMetrics parts(TargetKind::kValues), whole(TargetKind::kValues);
  whole.Add(outputs, targets);
  parts.Add(outputs.slice(0, 0, 1), targets.slice(0, 0, 1));
  parts.Add(outputs.slice(0, 1, 6), targets.slice(0, 1, 6));
  const auto values = ByName(parts);
  EXPECT_NEAR(values.at("rmse"), std::sqrt(2.5), 1e-9);
  EXPECT_NEAR(values.at("mae"), 1.5, 1e-9);
  // Each column is 0, 2, ..., 10 around its mean: 70; two columns 140; errors 6 * (1 + 4) = 30.
  EXPECT_NEAR(values.at("r2"), 1 - 30.0 / 140, 1e-9);
  EXPECT_NEAR(ByName(whole).at("r2"), values.at("r2"), 1e-9);
  EXPECT_NEAR(parts.score(), -std::sqrt(2.5), 1e-9) << "less is better";
  EXPECT_NEAR(parts.loss(), 2.5, 1e-9);
}

TEST(TaskMetricsTest, ValuesOfConstantTargetsHaveNoR2) {
  TaskMetrics metrics(TargetKind::kValues);
  metrics.Add(at::ones({3}), at::zeros({3, 1}));  // an output [n] for targets [n, 1]
  EXPECT_EQ(ByName(metrics).count("r2"), 0u);
  EXPECT_EQ(ByName(metrics).at("mae"), 1.0);
}

TEST(TaskMetricsTest, WithoutLabelsTheFloatModelIsTheMeasure) {
  TaskMetrics metrics(TargetKind::kNone);
  const at::Tensor reference = at::tensor({3.0f, 4.0f, 0.0f, 5.0f}).reshape({2, 2});
  const at::Tensor output = at::tensor({3.0f, 3.0f, 0.0f, 5.0f}).reshape({2, 2});
  metrics.Add(output, {});
  EXPECT_TRUE(metrics.Values().empty()) << "nothing was compared";
  EXPECT_EQ(metrics.score(), 0.0);
  metrics.Compare({output}, {reference});
  const auto values = ByName(metrics);
  EXPECT_NEAR(values.at("sqnr_db"), 10 * std::log10(50.0 / 1.0), 1e-6);
  EXPECT_NEAR(values.at("agreement"), 0.5, 1e-12);
  EXPECT_EQ(metrics.score(), values.at("sqnr_db"));
  TaskMetrics same(TargetKind::kNone);
  same.Add(output, {});
  same.Compare({output}, {output});
  EXPECT_EQ(ByName(same).at("sqnr_db"), AgreementMetrics::kMaxDecibel) << "finite";
}

}  // namespace
}  // namespace quantry::engine
