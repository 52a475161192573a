#include "worker/engine/train/sensitivity.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"

namespace quantry::engine {
namespace {

constexpr int64_t kBatchSize = 8;

std::unique_ptr<Loader> MakeLoader() {
  auto dataset = OpenDataset("synthetic://glyphs?classes=5&size=16&train=24&val=24&seed=1",
                             {.split = Split::kTrain});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return Loader::Create(*std::move(dataset), {.batch_size = kBatchSize, .image_size = 8}).value();
}

Batch MakeBatch(int64_t index) {
  at::manual_seed(static_cast<uint64_t>(index) + 77);
  return {.index = index,
          .inputs = {at::randn({kBatchSize, 3, 8, 8})},
          .targets = at::randint(kSmallNetClasses, {kBatchSize}, at::kLong)};
}

std::unique_ptr<SensitivityStudy> MakeStudy(const Graph& graph, const QuantConfig& config,
                                            const SensitivityOptions& options) {
  auto study = SensitivityStudy::Create(graph, config, {}, options);
  EXPECT_TRUE(study.ok()) << study.status();
  EXPECT_TRUE((*study)->Calibrate(*MakeLoader(), 3, nullptr).ok());
  return *std::move(study);
}

// The output with nothing but `layer` quantized, by the ordinary way: everything else is taken out
// of the plan.
at::Tensor OnlyOneQuantized(const Graph& model, const QuantConfig& config, const std::string& layer,
                            const at::Tensor& images) {
  Graph graph = model.Clone();
  QuantPlan plan = Annotate(graph, config, {}).value();
  QuantPlan fitted = plan;
  FitToProfile(graph, config, fitted);  // for unsigned integers, not for what it adds
  for (size_t i = 0; i < plan.tensors.size(); ++i) plan.tensors[i].spec = fitted.tensors[i].spec;
  for (PlannedTensor& tensor : plan.tensors) {
    std::erase_if(tensor.uses, [&](const Use& use) { return use.node->name() != layer; });
  }
  std::erase_if(plan.tensors, [](const PlannedTensor& tensor) { return tensor.uses.empty(); });
  InsertFakeQuant(graph, plan);
  EXPECT_TRUE(Calibrate(graph, *MakeLoader(), 3).ok());
  return RunGraph(graph, images);
}

TEST(SensitivityTest, EveryRowIsTheModelWithThatLayerAloneQuantized) {
  const Graph graph = BuildSmallNet(11);
  for (const char* quantizer : {"moving_average_abs_max", "abs_max", "range_abs_max", "lsq_act"}) {
    QuantConfig config{.activation_quantize_type = quantizer};
    const auto study = MakeStudy(graph, config, {.bits = {8, 3}});
    const Batch batch = MakeBatch(0);
    ASSERT_TRUE(study->Measure(batch, nullptr).ok());
    const at::Tensor reference = RunGraph(graph, batch.inputs[0]);
    const SensitivityTable& table = study->table();
    ASSERT_EQ(table.rows.size(), 8u);
    for (const LayerMeasurement& row : table.rows) {
      config.weight_bits = config.activation_bits = row.bits;
      const at::Tensor expected = OnlyOneQuantized(graph, config, row.layer, batch.inputs[0]);
      const double noise = (expected - reference).square().sum(at::kDouble).item<double>();
      EXPECT_NEAR(row.sums.noise, noise, 1e-6 * noise) << quantizer << " " << row.layer;
      EXPECT_EQ(row.sums.top1, expected.argmax(1).eq(batch.targets).sum().item<double>());
      EXPECT_GT(noise, 0);
    }
    EXPECT_NEAR(table.signal, reference.square().sum(at::kDouble).item<double>(), 1e-6);
  }
}

// Noise needs no labels; the loss is that of the data's targets.
TEST(SensitivityTest, OtherDataThanClassesIsMeasuredToo) {
  const Graph graph = BuildSmallNet(11);
  Batch batch = MakeBatch(0);
  const auto classes = MakeStudy(graph, {}, {.bits = {3}});
  ASSERT_TRUE(classes->Measure(batch, nullptr).ok());
  const auto unlabelled = MakeStudy(graph, {}, {.bits = {3}, .targets = TargetKind::kNone});
  const auto values = MakeStudy(graph, {}, {.bits = {3}, .targets = TargetKind::kValues});
  batch.targets = at::Tensor();
  ASSERT_TRUE(unlabelled->Measure(batch, nullptr).ok());
  // What the float model gives: the loss is the noise per value.
  batch.targets = RunGraph(graph, batch.inputs[0]);
  ASSERT_TRUE(values->Measure(batch, nullptr).ok());
  EXPECT_EQ(values->table().reference.loss, 0);
  for (size_t i = 0; i < classes->table().rows.size(); ++i) {
    const OutputSums& expected = classes->table().rows[i].sums;
    const OutputSums& without = unlabelled->table().rows[i].sums;
    const OutputSums& mean = values->table().rows[i].sums;
    EXPECT_GT(expected.loss, 0);
    EXPECT_EQ(without, (OutputSums{.noise = expected.noise}));
    EXPECT_EQ(mean.noise, expected.noise);
    EXPECT_EQ(mean.top1, 0);
    EXPECT_NEAR(mean.loss * kSmallNetClasses, mean.noise, 1e-4 * mean.noise);
  }
}

TEST(SensitivityTest, WeightsOnlyLeavesInputsAlone) {
  const Graph graph = BuildSmallNet(12);
  const auto both = MakeStudy(graph, {}, {.bits = {3}});
  const auto weights = MakeStudy(graph, {}, {.bits = {3}, .weights_only = true});
  const Batch batch = MakeBatch(0);
  ASSERT_TRUE(both->Measure(batch, nullptr).ok());
  ASSERT_TRUE(weights->Measure(batch, nullptr).ok());
  Graph rounded = graph.Clone();
  Value* head = rounded.FindValue("head.weight");
  const at::Tensor s = head->tensor().abs().amax(1, /*keepdim=*/true);
  rounded.SetTensor(head, (head->tensor() / (s / 3)).round() * (s / 3));
  const double noise = (RunGraph(rounded, batch.inputs[0]) - RunGraph(graph, batch.inputs[0]))
                           .square()
                           .sum(at::kDouble)
                           .item<double>();
  EXPECT_EQ(weights->table().rows.back().layer, "head");
  EXPECT_NEAR(weights->table().rows.back().sums.noise, noise, 1e-4 * noise);
  EXPECT_NE(weights->table().rows.back().sums.noise, both->table().rows.back().sums.noise);
}

TEST(SensitivityTest, MultiplicationsAreCounted) {
  const Graph graph = BuildSmallNet(13);
  const auto study = MakeStudy(graph, {}, {.bits = {8}});
  ASSERT_TRUE(study->Measure(MakeBatch(0), nullptr).ok());
  std::map<std::string, int64_t> macs;
  for (const LayerMeasurement& row : study->table().rows) macs[row.layer] = row.macs;
  EXPECT_EQ(macs.at("stem"), 8 * 3 * 9 * 64);
  EXPECT_EQ(macs.at("depthwise"), 8 * 9 * 64);
  EXPECT_EQ(macs.at("skip"), 8 * 8 * 9 * 64);
  EXPECT_EQ(macs.at("head"), 5 * 8);
}

TEST(SensitivityTest, AKeptTableIsGoneOnFromBitForBit) {
  const Graph graph = BuildSmallNet(14);
  const auto whole = MakeStudy(graph, {}, {});
  ASSERT_TRUE(whole->Measure(MakeBatch(0), nullptr).ok());
  const std::string kept = SerializeTable(whole->table());
  ASSERT_TRUE(whole->Measure(MakeBatch(1), nullptr).ok());

  const auto resumed = MakeStudy(graph, {}, {});
  const auto table = ParseTable(kept);
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_TRUE(resumed->Restore(*table).ok());
  int64_t runs = 0;
  ASSERT_TRUE(resumed
                  ->Measure(MakeBatch(1),
                            [&](const MeasuredRun& run) {
                              runs = run.runs_done;
                              return absl::OkStatus();
                            })
                  .ok());
  EXPECT_EQ(runs, 2 * resumed->runs_per_batch());
  EXPECT_EQ(resumed->table(), whole->table());
  EXPECT_EQ(resumed->table().examples, 2 * kBatchSize);

  EXPECT_EQ(MakeStudy(graph, {}, {.bits = {8, 5}})->Restore(*table).code(),
            absl::StatusCode::kFailedPrecondition);
  for (const char* damaged : {"", "{}", "[1]", "{\"batches\": \"x\"}"}) {
    EXPECT_EQ(ParseTable(damaged).status().code(), absl::StatusCode::kDataLoss) << damaged;
  }
}

TEST(SensitivityTest, AnErrorLeavesTheTableAsItWas) {
  const Graph graph = BuildSmallNet(15);
  const auto study = MakeStudy(graph, {}, {});
  ASSERT_TRUE(study->Measure(MakeBatch(0), nullptr).ok());
  const SensitivityTable before = study->table();
  const auto stop = [](const MeasuredRun& run) {
    return run.row.layer == "skip" ? absl::CancelledError("stop") : absl::OkStatus();
  };
  EXPECT_EQ(study->Measure(MakeBatch(1), stop).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(study->table(), before);
  Batch broken = MakeBatch(2);
  broken.inputs[0].fill_(NAN);
  EXPECT_EQ(study->Measure(broken, nullptr).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(study->table(), before);
  EXPECT_TRUE(study->Measure(MakeBatch(1), nullptr).ok());
}

TEST(SensitivityTableTest, RankIsByTheNoiseAtTheFewestBits) {
  SensitivityTable table{.signal = 1};
  for (const auto& [layer, bits, noise] : std::vector<std::tuple<const char*, int, double>>{
           {"a", 4, 0.1}, {"a", 8, 0.09}, {"b", 4, 0.5}, {"b", 8, 0.01}, {"c", 4, 0.1}}) {
    table.rows.push_back({.layer = layer, .bits = bits, .sums = {.noise = noise}});
  }
  EXPECT_EQ(RankedRows(table), (std::vector<size_t>{3, 2, 1, 0, 4}));
  EXPECT_DOUBLE_EQ(*SqnrDb(table, table.rows[0]), 10);
  table.rows[0].sums.noise = 0;
  EXPECT_FALSE(SqnrDb(table, table.rows[0]).has_value());
}

}  // namespace
}  // namespace quantry::engine
