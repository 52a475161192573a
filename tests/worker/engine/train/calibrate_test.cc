#include "worker/engine/train/calibrate.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>

#include "tests/worker/engine/train/tiny_net.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/quant/calibrator.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

constexpr char kGlyphs[] = "synthetic://glyphs?classes=16&size=32&train=64&val=32&seed=1";
constexpr int64_t kBatches = 3;

std::unique_ptr<Loader> MakeLoader() {
  auto dataset = OpenDataset(kGlyphs, {});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  auto loader = Loader::Create(std::shared_ptr<const Dataset>(*std::move(dataset)),
                               {.batch_size = 16, .image_size = 32});
  EXPECT_TRUE(loader.ok()) << loader.status();
  return *std::move(loader);
}

// The tiny network with every quantizer's spec changed by `change`.
template <typename Change>
Graph Quantized(const char* weight, const char* activation, const Change& change) {
  Graph graph = BuildTinyNet(5);
  QuantConfig config;
  config.weight_quantize_type = weight;
  config.activation_quantize_type = activation;
  config.weight_bits = config.activation_bits = 4;
  QuantPlan plan = Annotate(graph, config, {}).value();
  for (PlannedTensor& planned : plan.tensors) change(planned.spec);
  InsertFakeQuant(graph, plan);
  return graph;
}

// What calibration has seen of the activation in front of `node`.
Histogram SeenBy(const std::string& node) {
  const Graph graph = BuildTinyNet(5);
  const auto executor = Executor::Create(graph).value();
  const auto loader = MakeLoader();
  EXPECT_TRUE(loader->StartEpoch(0).ok());
  Histogram histogram;
  const at::NoGradGuard no_grad;
  for (int64_t i = 0; i < kBatches; ++i) {
    const auto inputs = loader->Next().value()->inputs;
    EXPECT_TRUE(executor
                    ->Run(inputs, {.phase = RunPhase::kEvaluate},
                          [&](const Node& seen, absl::Span<const at::Tensor> operands,
                              absl::Span<const at::Tensor>) {
                            if (seen.name() == node) histogram.Add(operands[0]);
                            return absl::OkStatus();
                          })
                    .ok());
  }
  return histogram;
}

float Number(const Graph& graph, const std::string& name) {
  return graph.FindValue(name)->tensor().item<float>();
}

TEST(CalibrateTest, EveryCalibratorStartsEveryActivationQuantizer) {
  const Histogram histogram = SeenBy("fc");
  for (const CalibratorDef& calibrator : CalibratorTable()) {
    if (calibrator.find == nullptr) continue;
    const ClippingRange range =
        calibrator.find(histogram, {.bits = 4, .percentile = double{99.5f}});
    // At 4 bits kl finds nothing that is worth clipping here.
    if (calibrator.for_weights) {
      EXPECT_LT(range.above, histogram.largest_above()) << calibrator.name;
    }
    for (const char* quantizer :
         {"abs_max", "moving_average_abs_max", "range_abs_max", "lsq_act"}) {
      const Graph graph = Quantized("channel_wise_abs_max", quantizer, [&](FakeQuantizeSpec& spec) {
        spec.calibrator = std::string(calibrator.name);
        spec.calibrator_percentile = 99.5f;
      });
      ASSERT_TRUE(Calibrate(graph, *MakeLoader(), kBatches).ok());
      const QParams qparams = EvaluationQParams(*graph.FindNode("dropout.fake_quant"));
      EXPECT_NEAR(qparams.high.item<double>(), range.above, 1e-5 * range.above)
          << calibrator.name << " " << quantizer;
    }
  }
}

TEST(CalibrateTest, AsymmetricQuantizersGetBothEnds) {
  const Histogram histogram = SeenBy("conv");
  for (const char* calibrator : {"percentile", "mse", "kl"}) {
    const ClippingRange range =
        FindCalibrator(calibrator)
            ->find(histogram, {.bits = 4, .symmetric = false, .percentile = double{99.0f}});
    for (const char* quantizer :
         {"abs_max", "moving_average_abs_max", "range_abs_max", "lsq_act", "lsq_plus_act"}) {
      const Graph graph = Quantized("channel_wise_abs_max", quantizer, [&](FakeQuantizeSpec& spec) {
        spec.calibrator = calibrator;
        spec.calibrator_percentile = 99.0f;
        spec.symmetric = spec.is_weight;
      });
      ASSERT_TRUE(Calibrate(graph, *MakeLoader(), kBatches).ok());
      const QParams qparams = EvaluationQParams(*graph.FindNode("input.fake_quant"));
      const auto step = qparams.step.item<double>();
      EXPECT_NEAR(step, (range.below + range.above) / 15, 1e-5) << calibrator << quantizer;
      EXPECT_NEAR(qparams.high.item<double>(), range.above, step / 2 + 1e-5) << quantizer;
      EXPECT_NEAR(-qparams.low.item<double>(), range.below, step / 2 + 1e-5) << quantizer;
    }
  }
}

TEST(CalibrateTest, MovingAverageAndRangeGoOnFromTheThreshold) {
  for (const char* quantizer : {"moving_average_abs_max", "range_abs_max"}) {
    const Graph graph = Quantized("channel_wise_abs_max", quantizer, [](FakeQuantizeSpec& spec) {
      spec.calibrator = "mse";
      spec.window_size = 2;
    });
    ASSERT_TRUE(Calibrate(graph, *MakeLoader(), kBatches).ok());
    const double t = Number(graph, "input.scale");
    const auto executor = Executor::Create(graph).value();
    const at::NoGradGuard no_grad;
    const auto train = [&](float largest) {
      const at::Tensor x = at::full({4, 3, 32, 32}, largest);
      ASSERT_TRUE(executor->Run({x}, {.phase = RunPhase::kTrain}).ok());
    };
    if (std::string(quantizer) == "moving_average_abs_max") {
      // As many tensors as calibration had, all of magnitude t: 1 + r + r^2.
      const double state = 1 + 0.9 + 0.81;
      train(9);
      EXPECT_NEAR(Number(graph, "input.scale"), (0.9 * state * t + 9) / (0.9 * state + 1), 1e-4);
    } else {
      train(static_cast<float>(t) / 2);  // the ring is {t, t/2}
      EXPECT_NEAR(Number(graph, "input.scale"), t, 1e-6);
      train(static_cast<float>(t) / 4);  // t leaves
      EXPECT_NEAR(Number(graph, "input.scale"), t / 2, 1e-6);
    }
  }
}

TEST(CalibrateTest, PactsAlphaStartsAtTheThreshold) {
  const Graph graph =
      Quantized("channel_wise_abs_max", "moving_average_abs_max", [](FakeQuantizeSpec& spec) {
        spec.calibrator = "percentile";
        spec.calibrator_percentile = 98;
        spec.pact = spec.alpha_from_calibration = !spec.is_weight;
      });
  ASSERT_TRUE(Calibrate(graph, *MakeLoader(), kBatches).ok());
  EXPECT_EQ(Number(graph, "dropout.alpha"), Number(graph, "dropout.scale"));
  EXPECT_LT(Number(graph, "dropout.alpha"), SeenBy("fc").largest_above());
}

TEST(CalibrateTest, WeightsWithAFreeThresholdStartFromTheirOwnSpread) {
  const at::Tensor weight = BuildTinyNet(5).FindValue("fc.weight")->tensor();
  for (const char* name : {"percentile", "mse", "kl"}) {
    const auto calibrated = [&](const char* quantizer, const char* calibrator) {
      Graph graph = Quantized(quantizer, "moving_average_abs_max", [&](FakeQuantizeSpec& spec) {
        spec.calibrator = calibrator;
        spec.calibrator_percentile = 95;
      });
      EXPECT_TRUE(Calibrate(graph, *MakeLoader(), kBatches).ok());
      return EvaluationQParams(*graph.FindNode("fc.weight.fake_quant")).high.reshape({-1});
    };
    const CalibratorDef& calibrator = *FindCalibrator(name);
    Histogram whole, row;
    whole.Add(weight);
    row.Add(weight[2]);
    const CalibrationGoal goal = {.bits = 4, .percentile = 95};
    if (calibrator.for_weights) {
      EXPECT_NEAR(calibrated("moving_average_abs_max", name).item<double>(),
                  calibrator.find(whole, goal).above, 1e-5);
      EXPECT_NEAR(calibrated("lsq_weight", name).item<double>(), calibrator.find(whole, goal).above,
                  1e-5);
      EXPECT_NEAR(calibrated("channel_wise_lsq_weight", name)[2].item<double>(),
                  calibrator.find(row, goal).above, 1e-5);
    } else {
      EXPECT_TRUE(at::equal(calibrated("lsq_weight", name), calibrated("lsq_weight", "abs_max")));
    }
    // Their s follows the weight, whatever the calibrator.
    EXPECT_TRUE(at::allclose(calibrated("channel_wise_abs_max", name), weight.abs().amax(1)));
    EXPECT_TRUE(at::allclose(calibrated("dorefa_weight", name), weight.abs().max()));
  }
}

TEST(CalibrateTest, TensorsThatAreNotFiniteAreNamed) {
  const Graph graph = Quantized("channel_wise_abs_max", "moving_average_abs_max",
                                [](FakeQuantizeSpec& spec) { spec.calibrator = "mse"; });
  graph.FindValue("norm.beta")->tensor()[0] = std::numeric_limits<float>::infinity();
  const absl::Status status = Calibrate(graph, *MakeLoader(), kBatches);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'dropout'"));
}

}  // namespace
}  // namespace quantry::engine
