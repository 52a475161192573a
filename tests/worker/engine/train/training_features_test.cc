#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "tests/worker/engine/train/tiny_net.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/engine/evaluate/evaluate_model.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/train/calibrate.h"
#include "worker/engine/train/parameter_groups.h"
#include "worker/engine/train/training_loop.h"

// Every option of training beside the basic ones of training_loop_test.cc: it changes what is
// trained, and a run that is stopped goes on to the same bytes.
namespace quantry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kStepsPerEpoch = 5;

std::unique_ptr<Loader> MakeLoader() {
  auto dataset = OpenDataset("synthetic://glyphs?classes=16&size=32&train=80&val=32&seed=1", {});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  auto loader =
      Loader::Create(std::shared_ptr<const Dataset>(*std::move(dataset)),
                     {.batch_size = 16, .image_size = 32, .shuffle = true, .drop_last = true});
  EXPECT_TRUE(loader.ok()) << loader.status();
  return *std::move(loader);
}

Graph MakeQuantized(const Graph& teacher, Loader& loader) {
  Graph graph = teacher.Clone();
  QuantConfig config;
  config.weight_bits = 4;
  config.activation_bits = 4;
  const auto plan = Annotate(graph, config, {});
  EXPECT_TRUE(plan.ok()) << plan.status();
  InsertFakeQuant(graph, *plan);
  EXPECT_TRUE(Calibrate(graph, loader, 2).ok());
  return graph;
}

TrainOptions TwoEpochs() { return {.epochs = 2, .schedule = {.learning_rate = 0.02}, .seed = 9}; }

// What a run leaves: the checkpoint before Finish() and the graph after it.
struct Trained {
  absl::Status status;
  std::string checkpoint;  // serialized
  std::string graph;
  int64_t steps = 0;
  std::vector<int64_t> evaluated;
};

// Trains W4A4 until `stop_after` steps are done; the n-th evaluation scores scores[n].
Trained Train(const TrainOptions& options, std::vector<double> scores = {},
              std::optional<Checkpoint> from = std::nullopt, int64_t stop_after = 1000) {
  const auto loader = MakeLoader();
  const Graph teacher = BuildTinyNet(5);
  Graph graph = MakeQuantized(teacher, *loader);
  Trained trained;
  int64_t done = 0;
  TrainingCallbacks callbacks{.on_step =
                                  [&](const TrainedStep& step) {
                                    done = step.steps_done;
                                    return absl::OkStatus();
                                  },
                              .interrupted = [&] { return done >= stop_after; }};
  if (!scores.empty()) {
    callbacks.evaluate = [&](int64_t step) -> absl::StatusOr<double> {
      trained.evaluated.push_back(step);
      // By the position in the run, as a resumed one asks for the rest only.
      return scores[static_cast<size_t>(step / options.evaluate_steps.value_or(1) - 1)];
    };
  }
  auto loop = TrainingLoop::Create(graph, *loader, options, callbacks, &teacher);
  trained.status = loop.status();
  if (!loop.ok()) return trained;
  if (from) {
    EXPECT_TRUE((*loop)->Restore(*from).ok());
  }
  trained.status = (*loop)->Run();
  Checkpoint checkpoint = (*loop)->MakeCheckpoint();
  checkpoint.train_seconds = 0;
  trained.checkpoint = *SerializeCheckpoint(checkpoint);
  trained.steps = (*loop)->steps_done();
  EXPECT_TRUE((*loop)->Finish().ok());
  trained.graph = *SerializeCheckpoint({.state = GraphState(graph)});
  return trained;
}

struct Option {
  const char* name;
  void (*set)(TrainOptions&);
  // Options from which `set` must make a difference.
  void (*base)(TrainOptions&) = [](TrainOptions&) {};
};

void PrintTo(const Option& option, std::ostream* out) { *out << option.name; }

constexpr auto kAdam = [](TrainOptions& o) { o.optimizer.name = "adam"; };
constexpr auto kDistill = [](TrainOptions& o) { o.distillation.emplace(); };

const Option kOptions[] = {
    {"adam", kAdam},
    {"adamw",
     [](TrainOptions& o) {
       o.optimizer.name = "adamw";
       o.weight_decay = 0.1;
     }},
    {"beta1", [](TrainOptions& o) { o.optimizer.beta1 = 0.5; }, kAdam},
    {"beta2", [](TrainOptions& o) { o.optimizer.beta2 = 0.5; }, kAdam},
    {"epsilon", [](TrainOptions& o) { o.optimizer.epsilon = 0.1; }, kAdam},
    {"decay_norm_and_bias", [](TrainOptions& o) { o.decay_norm_and_bias = false; },
     [](TrainOptions& o) { o.weight_decay = 0.1; }},
    {"polynomial", [](TrainOptions& o) { o.schedule.kind = ScheduleKind::kPolynomial; }},
    {"accumulate", [](TrainOptions& o) { o.accumulate_batches = 4; }},
    {"ema", [](TrainOptions& o) { o.ema_decay = 0.9; }},
    {"batch_norm", [](TrainOptions& o) { o.batch_norm_batches = 3; }},
    {"freeze_batch_norm", [](TrainOptions& o) { o.freeze_batch_norm_after = 0.5; }},
    {"freeze_observers", [](TrainOptions& o) { o.freeze_observers_after = 0.5; }},
    {"mixup", [](TrainOptions& o) { o.mixup = 0.5; }},
    {"bce", [](TrainOptions& o) { o.loss.name = "bce"; }},
    {"huber_delta", [](TrainOptions& o) { o.loss.huber_delta = 0.1; },
     [](TrainOptions& o) { o.loss.name = "huber"; }},
    {"bf16", [](TrainOptions& o) { o.precision = Precision::kBf16; }},
    {"float64", [](TrainOptions& o) { o.precision = Precision::kFloat64; }},
    {"distillation", kDistill},
    {"distillation_mse", [](TrainOptions& o) { o.distillation->kind = "mse"; }, kDistill},
    {"distillation_weight", [](TrainOptions& o) { o.distillation->weight = 3; }, kDistill},
    {"temperature", [](TrainOptions& o) { o.distillation->temperature = 3; }, kDistill},
    {"task_weight", [](TrainOptions& o) { o.distillation->task_weight = 0; }, kDistill},
    {"features", [](TrainOptions& o) { o.distillation->features = {"relu"}; }, kDistill},
    {"feature_weight", [](TrainOptions& o) { o.distillation->feature_weight = 3; },
     [](TrainOptions& o) { o.distillation = {.features = {"relu"}}; }},
};

class OptionTest : public ::testing::TestWithParam<Option> {};

TEST_P(OptionTest, ChangesTheResultAndResumesToTheSameBytes) {
  TrainOptions base = TwoEpochs();
  GetParam().base(base);
  TrainOptions options = base;
  GetParam().set(options);
  if (!CheckPrecision(options.precision).ok()) GTEST_SKIP() << "this machine has no bf16";
  const Trained without = Train(base);
  const Trained whole = Train(options);
  ASSERT_TRUE(whole.status.ok()) << whole.status;
  EXPECT_FALSE(whole.graph == without.graph);
  const Trained broken = Train(options, {}, std::nullopt, 6);
  EXPECT_TRUE(absl::IsCancelled(broken.status)) << broken.status;
  const Trained rest = Train(options, {}, *ParseCheckpoint(broken.checkpoint));
  EXPECT_EQ(rest.steps, 2 * kStepsPerEpoch);
  EXPECT_TRUE(rest.checkpoint == whole.checkpoint);
  EXPECT_TRUE(rest.graph == whole.graph);
}

INSTANTIATE_TEST_SUITE_P(All, OptionTest, ::testing::ValuesIn(kOptions),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(EvaluationTest, KeepsTheBestWeightsAlsoWhenResumed) {
  TrainOptions options = TwoEpochs();
  options.evaluate_steps = 2;
  options.batch_norm_batches = 2;
  options.ema_decay = 0.9;
  const std::vector<double> scores = {0.1, 0.5, 0.3, 0.2, 0.4};
  const Trained last = Train(options, scores);
  EXPECT_THAT(last.evaluated, ElementsAre(2, 4, 6, 8, 10));
  options.keep_best = true;
  const Trained best = Train(options, scores);
  ASSERT_TRUE(best.status.ok()) << best.status;
  EXPECT_FALSE(best.graph == last.graph);
  const Trained broken = Train(options, scores, std::nullopt, 5);
  const Trained rest = Train(options, scores, *ParseCheckpoint(broken.checkpoint));
  EXPECT_THAT(rest.evaluated, ElementsAre(6, 8, 10));
  EXPECT_TRUE(rest.graph == best.graph);
}

// Evaluating, averages and new BatchNorm statistics included, leaves no trace in the training.
TEST(EvaluationTest, DoesNotChangeTheTraining) {
  TrainOptions options = TwoEpochs();
  options.batch_norm_batches = 2;
  options.ema_decay = 0.9;
  const Trained without = Train(options);
  options.evaluate_steps = 2;
  EXPECT_TRUE(Train(options, {1, 2, 3, 4, 5}).graph == without.graph);
}

TEST(EvaluationTest, StopsWhenPatienceIsUsedUpAndStaysStopped) {
  TrainOptions options = TwoEpochs();
  options.evaluate_steps = 1;
  options.patience = 2;
  const std::vector<double> scores = {0.1, 0.5, 0.5, 0.4, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9};
  const Trained trained = Train(options, scores);
  ASSERT_TRUE(trained.status.ok()) << trained.status;
  EXPECT_EQ(trained.steps, 4);
  EXPECT_EQ(Train(options, scores, *ParseCheckpoint(trained.checkpoint)).steps, 4);
}

TEST(ParameterGroupsTest, NormAndBiasMayGoWithoutDecay) {
  Graph graph = BuildTinyNet(5);
  TrainOptions options;
  options.weight_decay = 0.5;
  options.decay_norm_and_bias = false;
  int64_t decayed = 0;
  int64_t undecayed = 0;
  for (const ParameterGroup& group : MakeParameterGroups(graph, options)) {
    for (const NamedTensor& parameter : group.parameters) {
      EXPECT_EQ(group.weight_decay == 0.0, parameter.tensor.dim() < 2) << parameter.name;
      (group.weight_decay == 0.0 ? undecayed : decayed) += 1;
    }
  }
  EXPECT_EQ(decayed, 2);
  EXPECT_EQ(undecayed, 3);
}

TEST(DistillationTest, NamesWhatIsWrong) {
  TrainOptions options = TwoEpochs();
  options.distillation = {.features = {"rleu"}};
  EXPECT_THAT(std::string(Train(options).status.message()), HasSubstr("did you mean 'relu'"));
  options.distillation = {.kind = "none"};
  EXPECT_THAT(std::string(Train(options).status.message()), HasSubstr("nothing is compared"));
}

// The logits of all pictures, in the loader's order.
at::Tensor LogitsOf(const Graph& graph, Loader& loader) {
  std::vector<at::Tensor> logits;
  const auto keep = [&](const EvaluatedBatch& batch) {
    logits.push_back(batch.logits.clone());
    return absl::OkStatus();
  };
  EXPECT_TRUE(EvaluateModel(graph, loader, keep).ok());
  return at::cat(logits);
}

// Share of the pictures that both put into the same class.
double Agreement(const at::Tensor& a, const at::Tensor& b) {
  return a.argmax(1).eq(b.argmax(1)).to(at::kDouble).mean().item<double>();
}

// A student that knows nothing learns its teacher's classes without seeing a label.
TEST(DistillationTest, AloneTeachesWhatTheTeacherKnows) {
  const auto loader = MakeLoader();
  Graph teacher = BuildTinyNet(5);
  TrainOptions options{.epochs = 40, .schedule = {.learning_rate = 0.05}};
  const auto teaching = TrainingLoop::Create(teacher, *loader, options, {});
  ASSERT_TRUE((*teaching)->Run().ok());
  ReleaseParameters(teacher);
  const at::Tensor target = LogitsOf(teacher, *loader);

  for (const char* kind : {"kl", "mse"}) {
    Graph student = MakeQuantized(BuildTinyNet(6), *loader);
    const double before = Agreement(LogitsOf(student, *loader), target);
    options.distillation = {.kind = kind, .task_weight = 0.0};
    const auto loop = TrainingLoop::Create(student, *loader, options, {}, &teacher);
    ASSERT_TRUE((*loop)->Run().ok());
    ReleaseParameters(student);
    EXPECT_LT(before, 0.4) << kind;
    EXPECT_GT(Agreement(LogitsOf(student, *loader), target), 0.6) << kind;
  }
}

}  // namespace
}  // namespace quantry::engine
