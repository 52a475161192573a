#include "worker/engine/train/training_loop.h"
#include "worker/engine/evaluate/not_finite.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "tests/worker/engine/train/tiny_net.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/train/calibrate.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kGlyphs[] = "synthetic://glyphs?classes=16&size=32&train=80&val=32&seed=1";
constexpr int64_t kStepsPerEpoch = 5;

std::unique_ptr<Loader> MakeLoader() {
  auto dataset = OpenDataset(kGlyphs, {});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  auto loader =
      Loader::Create(std::shared_ptr<const Dataset>(*std::move(dataset)), {.batch_size = 16,
                                                                           .image_size = 32,
                                                                           .random_crop = true,
                                                                           .shuffle = true,
                                                                           .drop_last = true});
  EXPECT_TRUE(loader.ok()) << loader.status();
  return *std::move(loader);
}

// A way of quantizing whose state has to survive.
struct Quantizers {
  const char* name;
  const char* weight;
  const char* activation;
  bool symmetric = true;
  bool reference = false;
  const char* calibrator = "abs_max";
};

// The tiny network quantized so, with outputs that are followed.
Graph MakeQuantizedBy(const Quantizers& quantizers, Loader& loader) {
  Graph graph = BuildTinyNet(5);
  QuantConfig config;
  config.weight_bits = config.activation_bits = 4;
  config.window_size = 3;
  config.weight_quantize_type = quantizers.weight;
  config.activation_quantize_type = quantizers.activation;
  auto plan = Annotate(graph, config, {});
  EXPECT_TRUE(plan.ok()) << plan.status();
  plan->output_moving_rate = 0.9;
  for (PlannedTensor& planned : plan->tensors) {
    if (!planned.spec.is_weight) planned.spec.symmetric = quantizers.symmetric;
    planned.spec.calibrator = quantizers.calibrator;
    if (quantizers.reference) UseReference(planned.spec);
  }
  InsertFakeQuant(graph, *plan);
  const absl::Status calibrated = Calibrate(graph, loader, 2);
  EXPECT_TRUE(calibrated.ok()) << calibrated;
  return graph;
}

// The tiny network with calibrated 4-bit fake-quant and PACT: all the state there is.
Graph MakeQuantized(Loader& loader) {
  Graph graph = BuildTinyNet(5);
  QuantConfig config;
  config.weight_bits = 4;
  config.activation_bits = 4;
  config.activation_preprocess_type = "PACT";
  const auto plan = Annotate(graph, config, {});
  EXPECT_TRUE(plan.ok()) << plan.status();
  InsertFakeQuant(graph, *plan);
  const absl::Status calibrated = Calibrate(graph, loader, 2);
  EXPECT_TRUE(calibrated.ok()) << calibrated;
  return graph;
}

TrainOptions TwoEpochs() {
  return {.epochs = 2,
          .schedule = {.learning_rate = 0.05},
          .loss = {.label_smoothing = 0.1},
          .gradient_clip = 5.0,
          .seed = 9,
          .freeze_after = 0.8};
}

std::string StateBytes(const TrainingLoop& loop) {
  Checkpoint checkpoint = loop.MakeCheckpoint();
  checkpoint.train_seconds = 0;
  return *SerializeCheckpoint(checkpoint);
}

std::unique_ptr<TrainingLoop> MakeLoop(Graph& graph, Loader& loader, const TrainOptions& options,
                                       TrainingCallbacks callbacks = {}) {
  auto loop = TrainingLoop::Create(graph, loader, options, std::move(callbacks));
  EXPECT_TRUE(loop.ok()) << loop.status();
  return *std::move(loop);
}

// Trains until `stop_after` steps are done, and hands over the checkpoint that is then saved.
Checkpoint RunUntil(int64_t stop_after,
                    const std::function<Graph(Loader&)>& make_graph = MakeQuantized) {
  const auto loader = MakeLoader();
  Graph graph = make_graph(*loader);
  std::optional<Checkpoint> saved;
  int64_t done = 0;
  const auto loop = MakeLoop(graph, *loader, TwoEpochs(),
                             {.on_step =
                                  [&](const TrainedStep& step) {
                                    done = step.steps_done;
                                    return absl::OkStatus();
                                  },
                              .save =
                                  [&](Checkpoint checkpoint) {
                                    // As in a file: tensors of the loop change later.
                                    saved = *ParseCheckpoint(*SerializeCheckpoint(checkpoint));
                                    return absl::OkStatus();
                                  },
                              .interrupted = [&] { return done >= stop_after; }});
  EXPECT_EQ(loop->Run().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(saved.has_value());
  EXPECT_EQ(saved->steps_done, stop_after);
  return *std::move(saved);
}

class ResumeTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(ResumeTest, EndsWithTheBytesOfAnUnbrokenRun) {
  const auto loader = MakeLoader();
  Graph unbroken = MakeQuantized(*loader);
  const auto whole = MakeLoop(unbroken, *loader, TwoEpochs());
  ASSERT_TRUE(whole->Run().ok());

  const Checkpoint checkpoint = RunUntil(GetParam());
  const auto other_loader = MakeLoader();
  Graph graph = MakeQuantized(*other_loader);
  const auto rest = MakeLoop(graph, *other_loader, TwoEpochs());
  ASSERT_TRUE(rest->Restore(checkpoint).ok());
  ASSERT_TRUE(rest->Run().ok());
  EXPECT_EQ(rest->steps_done(), 2 * kStepsPerEpoch);
  EXPECT_TRUE(StateBytes(*rest) == StateBytes(*whole));
}

INSTANTIATE_TEST_SUITE_P(AtStep, ResumeTest, ::testing::Values(1, 3, 5, 9));

class QuantizerResumeTest : public ::testing::TestWithParam<Quantizers> {};

TEST_P(QuantizerResumeTest, EveryQuantizersStateGoesOn) {
  const auto make = [](Loader& loader) { return MakeQuantizedBy(GetParam(), loader); };
  const auto loader = MakeLoader();
  Graph unbroken = make(*loader);
  const auto whole = MakeLoop(unbroken, *loader, TwoEpochs());
  ASSERT_TRUE(whole->Run().ok());

  const Checkpoint checkpoint = RunUntil(4, make);
  // A graph that is not calibrated, as when a job goes on: all comes out of the checkpoint.
  const auto other_loader = MakeLoader();
  Graph graph = make(*other_loader);
  for (Value* value : graph.initializers()) {
    if (value->name().find('.') != std::string::npos) value->tensor().detach().zero_();
  }
  const auto rest = MakeLoop(graph, *other_loader, TwoEpochs());
  ASSERT_TRUE(rest->Restore(checkpoint).ok());
  ASSERT_TRUE(rest->Run().ok());
  EXPECT_TRUE(StateBytes(*rest) == StateBytes(*whole));
}

INSTANTIATE_TEST_SUITE_P(
    All, QuantizerResumeTest,
    ::testing::Values(Quantizers{"lsq", "channel_wise_lsq_weight", "lsq_act"},
                      Quantizers{"lsq_per_tensor", "lsq_weight", "lsq_act", false, false, "mse"},
                      Quantizers{"lsq_plus", "channel_wise_lsq_weight", "lsq_plus_act", false},
                      Quantizers{"range", "range_abs_max", "range_abs_max", true, false,
                                 "percentile"},
                      Quantizers{"range_asymmetric", "range_abs_max", "range_abs_max", false},
                      Quantizers{"moving_average", "moving_average_abs_max",
                                 "moving_average_abs_max", true, true},
                      Quantizers{"dorefa", "dorefa_weight", "abs_max", true, false, "kl"},
                      Quantizers{"reference", "channel_wise_abs_max", "abs_max", true, true}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(TrainingLoopTest, LearnsATinySet) {
  const auto loader = MakeLoader();
  Graph graph = BuildTinyNet(5);
  std::vector<double> losses;
  const auto loop = MakeLoop(graph, *loader, {.epochs = 12, .schedule = {.learning_rate = 0.05}},
                             {.on_epoch = [&](int64_t, int64_t, const ClassificationMetrics& m) {
                               EXPECT_EQ(m.examples(), 80);
                               losses.push_back(m.loss());
                               return absl::OkStatus();
                             }});
  ASSERT_TRUE(loop->Run().ok());
  ASSERT_EQ(losses.size(), 12u);
  EXPECT_LT(losses.back(), 0.8 * losses.front());
}

TEST(TrainingLoopTest, SavesAtEpochEndsOrEveryFewSteps) {
  const auto loader = MakeLoader();
  std::vector<int64_t> saved;
  const TrainingCallbacks callbacks = {.save = [&](const Checkpoint& checkpoint) {
    saved.push_back(checkpoint.steps_done);
    return absl::OkStatus();
  }};
  Graph graph = BuildTinyNet(5);
  ASSERT_TRUE(MakeLoop(graph, *loader, TwoEpochs(), callbacks)->Run().ok());
  EXPECT_THAT(saved, ElementsAre(5, 10));
  saved.clear();
  TrainOptions options = TwoEpochs();
  options.checkpoint_steps = 4;
  Graph again = BuildTinyNet(5);
  ASSERT_TRUE(MakeLoop(again, *loader, options, callbacks)->Run().ok());
  EXPECT_THAT(saved, ElementsAre(4, 8, 10));
}

TEST(TrainingLoopTest, StatisticsFreezeWhenAsked) {
  const auto loader = MakeLoader();
  Graph graph = BuildTinyNet(5);
  TrainOptions options = TwoEpochs();
  options.freeze_after = 0.5;
  at::Tensor at_half, weight_at_half;
  const auto loop = MakeLoop(graph, *loader, options, {.on_step = [&](const TrainedStep& step) {
                               if (step.steps_done == kStepsPerEpoch) {
                                 at_half = graph.FindValue("norm.mean")->tensor().clone();
                                 weight_at_half =
                                     graph.FindValue("fc.weight")->tensor().detach().clone();
                               }
                               return absl::OkStatus();
                             }});
  ASSERT_TRUE(loop->Run().ok());
  EXPECT_FALSE(at::equal(at_half, at::zeros({8})));
  EXPECT_TRUE(at::equal(at_half, graph.FindValue("norm.mean")->tensor()));
  EXPECT_FALSE(at::equal(weight_at_half, graph.FindValue("fc.weight")->tensor()));
}

TEST(TrainingLoopTest, NanNamesTheLayerAndTheStep) {
  const auto loader = MakeLoader();
  Graph graph = BuildTinyNet(5);
  const auto loop = MakeLoop(
      graph, *loader, TwoEpochs(), {.on_step = [&](const TrainedStep& step) {
        if (step.steps_done == 3) {
          const at::NoGradGuard no_grad;
          graph.FindValue("norm.beta")->tensor()[2].fill_(std::numeric_limits<float>::quiet_NaN());
        }
        return absl::OkStatus();
      }});
  const absl::Status status = loop->Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(IsNotFinite(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("training diverged"), HasSubstr("'norm' (BatchNormalization)"),
                    HasSubstr("NaN"), HasSubstr("'norm.beta'"), HasSubstr("in step 3"),
                    HasSubstr("lower learning_rate")));
  EXPECT_FALSE(IsNotFinite(absl::FailedPreconditionError("training diverged")));
}

TEST(TrainingLoopTest, NanBornInBackwardNamesTheLayerNearestToTheOutput) {
  const auto loader = MakeLoader();
  Graph graph = BuildTinyNet(5);
  const auto loop = MakeLoop(graph, *loader, TwoEpochs());
  // Finite forward, infinite backward.
  graph.FindValue("norm.gamma")->tensor().register_hook([](const at::Tensor& gradient) {
    return gradient / 0;
  });
  const absl::Status status = loop->Run();
  EXPECT_TRUE(IsNotFinite(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("in step 0"), HasSubstr("'norm.gamma' of 'norm'")));
}

TEST(TrainingLoopTest, RefusesACheckpointOfAnotherModel) {
  const auto loader = MakeLoader();
  Graph graph = BuildTinyNet(5);
  const auto loop = MakeLoop(graph, *loader, TwoEpochs());
  Checkpoint checkpoint = RunUntil(1);
  EXPECT_EQ(loop->Restore(checkpoint).code(), absl::StatusCode::kFailedPrecondition);
  checkpoint = loop->MakeCheckpoint();
  checkpoint.steps_per_epoch = 4;
  EXPECT_THAT(std::string(loop->Restore(checkpoint).message()), HasSubstr("5 in an epoch"));
}

}  // namespace
}  // namespace quantry::engine
