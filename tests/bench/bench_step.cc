// Training steps of one network on request, timed: Quantry's side of step_time.py.
//
// Says "ready" after the first step. Each line "N" on standard input then has N steps done, and is
// answered with their seconds as a JSON list. At the end of the input: {"peak_mb": ...} of the
// whole process, and it ends.
//
// A step is what the trainer's is, but for reading pictures: forward, loss, backward, the check for
// gradients that are not finite, SGD with momentum.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/quant_config.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/evaluate/not_finite.h"
#include "worker/engine/graph/print.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/quantize_outputs.h"
#include "worker/engine/train/optimizer.h"
#include "worker/engine/train/parameter_groups.h"
#include "worker/engine/train/train_options.h"
#include "worker/engine/zoo/zoo.h"
#include "worker/trainer/process_policy.h"

namespace quantry::engine {
namespace {

struct Options {
  std::string model = "mobilenet_v2";
  std::string onnx;
  std::string quant_config;  // empty: float
  std::string precision = "float32";
  int64_t classes = 1000;
  int64_t batch = 32;
  int64_t pixels = 96;
  int threads = 2;
  bool unfused = false;
  bool print_graph = false;
};

absl::StatusOr<Graph> LoadGraph(const Options& options) {
  if (!options.onnx.empty()) return ImportOnnxFile(options.onnx);
  return BuildZooModel(options.model,
                       {.num_classes = options.classes, .image_size = options.pixels});
}

absl::Status Quantize(Graph& graph, const std::string& json) {
  QUANTRY_ASSIGN_OR_RETURN(const QuantConfig config, ParseQuantConfig(json));
  if (FoldsBatchNormBeforeTraining(config)) FoldBatchNorm(graph);
  QUANTRY_ASSIGN_OR_RETURN(QuantPlan plan, Annotate(graph, config, {}));
  FitToProfile(graph, config, plan);
  InsertFakeQuant(graph, plan);
  return absl::OkStatus();
}

// One network, its optimizer, and one batch that is used again and again.
class Stepper {
 public:
  static absl::StatusOr<std::unique_ptr<Stepper>> Create(const Options& options) {
    QUANTRY_ASSIGN_OR_RETURN(Graph graph, LoadGraph(options));
    if (!options.quant_config.empty()) {
      QUANTRY_RETURN_IF_ERROR(Quantize(graph, options.quant_config));
    }
    if (options.print_graph) std::cerr << Print(graph);
    auto stepper = std::unique_ptr<Stepper>(new Stepper(std::move(graph), options));
    QUANTRY_ASSIGN_OR_RETURN(stepper->precision_, ParsePrecision(options.precision));
    QUANTRY_ASSIGN_OR_RETURN(
        stepper->executor_,
        Executor::Create(stepper->graph_,
                         options.unfused ? Executor::Fusing::kOff : Executor::Fusing::kOn));
    QUANTRY_RETURN_IF_ERROR(stepper->Calibrate());
    PrepareParameters(stepper->graph_);
    stepper->optimizer_ =
        MakeOptimizer(MakeParameterGroups(stepper->graph_, TrainOptions()), OptimizerOptions());
    return stepper;
  }

  absl::Status Step() {
    optimizer_->ZeroGradients();
    const EvaluateContext context = {.phase = RunPhase::kTrain, .precision = precision_};
    QUANTRY_ASSIGN_OR_RETURN(const auto outputs, executor_->Run({images_}, context));
    const at::Tensor loss = at::cross_entropy_loss(outputs.at(0), labels_);
    loss.backward();
    QUANTRY_RETURN_IF_ERROR(CheckGradientsFinite(graph_, "a step", "look at the rate"));
    optimizer_->Step(kRate);
    return absl::OkStatus();
  }

 private:
  static constexpr double kRate = 1e-3;

  Stepper(Graph graph, const Options& options) : graph_(std::move(graph)) {
    at::manual_seed(1);
    images_ = at::randn({options.batch, 3, options.pixels, options.pixels})
                  .contiguous(at::MemoryFormat::ChannelsLast);
    labels_ = at::randint(options.classes, {options.batch}, at::kLong);
  }

  absl::Status Calibrate() {
    const at::NoGradGuard no_grad;
    return executor_->Run({images_}, EvaluateContext{.phase = RunPhase::kCalibrate}).status();
  }

  Graph graph_;
  at::Tensor images_;
  at::Tensor labels_;
  Precision precision_ = Precision::kFloat32;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Optimizer> optimizer_;
};

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

absl::Status Serve(Stepper& stepper) {
  QUANTRY_RETURN_IF_ERROR(stepper.Step());
  std::cout << "ready" << std::endl;
  int count = 0;
  while (std::cin >> count) {
    nlohmann::json seconds = nlohmann::json::array();
    for (int i = 0; i < count; ++i) {
      const auto start = std::chrono::steady_clock::now();
      QUANTRY_RETURN_IF_ERROR(stepper.Step());
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::cout << seconds.dump() << std::endl;
  }
  std::cout << nlohmann::json{{"peak_mb", PeakMegabytes()}}.dump() << std::endl;
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  trainer::UseTrainingPolicies(argv);
  Options options;
  CLI::App app("Training steps of one network on request, timed");
  app.add_option("--model", options.model, "a network of the zoo");
  app.add_option("--onnx", options.onnx, "instead: an ONNX file with one input of pictures");
  app.add_option("--quant-config", options.quant_config, "JSON; without it: float training");
  app.add_option("--precision", options.precision, "float32 or bf16");
  app.add_option("--classes", options.classes);
  app.add_option("--batch", options.batch);
  app.add_option("--pixels", options.pixels);
  app.add_option("--threads", options.threads);
  app.add_flag("--unfused", options.unfused, "every node by itself");
  app.add_flag("--print-graph", options.print_graph, "its nodes, to standard error");
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(options.threads);
  auto stepper = Stepper::Create(options);
  const absl::Status status = stepper.ok() ? Serve(**stepper) : stepper.status();
  if (!status.ok()) std::cerr << "quantry_bench_step: " << status << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace quantry::engine

int main(int argc, char** argv) { return quantry::engine::Main(argc, argv); }
