#include "worker/trainer/load_inputs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/engine/evaluate/check_model.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/script/import_script.h"
#include "worker/engine/train/task.h"
#include "worker/engine/weights/load_weights.h"
#include "worker/engine/weights/read_weights.h"
#include "worker/engine/zoo/zoo.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/modes/mode.h"

namespace quantry::trainer {
namespace {

using engine::Dataset;
using engine::Loader;
using engine::Split;

constexpr int64_t kDefaultImageSize = 224;

struct Datasets {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> eval;
};

absl::Status CheckAlike(const Dataset& train, const Dataset& eval) {
  if (eval.target_kind() != train.target_kind() || eval.class_names() != train.class_names()) {
    return absl::InvalidArgumentError("training and evaluation data have different classes");
  }
  const auto same = [](const engine::ArraySpec& a, const engine::ArraySpec& b) {
    return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape;
  };
  const auto ours = train.arrays();
  const auto theirs = eval.arrays();
  if (std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(), same)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "training and evaluation data have different inputs; their arrays must have the same names, "
      "types and shapes");
}

absl::StatusOr<Datasets> OpenDatasets(const DataOptions& data, const RunWatch& watch) {
  Datasets datasets;
  engine::DatasetOptions train{.split = Split::kTrain, .allowed_roots = data.allowed_roots};
  train.remote.cache_folder = data.cache_folder;
  if (data.cache_bytes) train.remote.cache_bytes = *data.cache_bytes;
  train.remote.interrupted = watch.interrupted;
  train.remote.log = watch.log;
  engine::DatasetOptions eval = train;
  eval.split = Split::kVal;
  QUANTRY_ASSIGN_OR_RETURN(datasets.train, engine::OpenDataset(data.train_uri, train));
  if (!data.eval_uri.empty()) eval.class_names = datasets.train->class_names();
  QUANTRY_ASSIGN_OR_RETURN(
      datasets.eval,
      engine::OpenDataset(data.eval_uri.empty() ? data.train_uri : data.eval_uri, eval));
  QUANTRY_RETURN_IF_ERROR(CheckAlike(*datasets.train, *datasets.eval));
  return datasets;
}

// The model's input size in pixels, where the file fixes it.
absl::StatusOr<std::optional<int64_t>> FixedImageSize(const engine::Graph& model) {
  if (model.inputs().size() != 1) return std::optional<int64_t>();
  const auto& shape = model.inputs()[0]->type.shape;
  if (!shape || shape->size() != 4 || !(*shape)[2] || !(*shape)[3]) {
    return std::optional<int64_t>();
  }
  if ((*shape)[2] != (*shape)[3]) {
    return absl::InvalidArgumentError(absl::StrCat("the model's input is ", *(*shape)[2], " x ",
                                                   *(*shape)[3],
                                                   " pixels; only square inputs are supported"));
  }
  return (*shape)[2];
}

// What pictures or arrays look like to the model, before it is known.
std::vector<std::vector<int64_t>> ExampleShapes(const RunOptions& options, const Dataset& dataset) {
  std::vector<std::vector<int64_t>> shapes;
  for (const engine::ArraySpec& array : dataset.arrays()) shapes.push_back(array.shape);
  if (!shapes.empty()) return shapes;
  const int64_t size =
      options.data.image_size.value_or(dataset.native_size().value_or(kDefaultImageSize));
  return {{3, size, size}};
}

// The graph of an ONNX or TorchScript file, told apart by content. TorchScript knows no input
// sizes: it is read for those of the data.
absl::StatusOr<engine::Graph> ReadGraph(const std::filesystem::path& path,
                                        std::vector<std::vector<int64_t>> script_shapes) {
  if (!engine::IsTorchScriptFile(path)) return engine::ImportOnnxFile(path);
  return engine::ImportTorchScriptFile(path, {.input_shapes = std::move(script_shapes)});
}

absl::Status ResolveImageSize(RunOptions& options, const Dataset& dataset,
                              const engine::Graph& model) {
  std::optional<int64_t>& size = options.data.image_size;
  if (!dataset.arrays().empty()) {
    if (!size) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("image_size is ", *size, ", but the dataset holds arrays; leave it out"));
  }
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<int64_t> fixed, FixedImageSize(model));
  if (fixed && size && *fixed != *size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image_size is ", *size, ", but the model's input is fixed to ", *fixed, " pixels"));
  }
  if (!size) size = fixed ? *fixed : dataset.native_size().value_or(kDefaultImageSize);
  return absl::OkStatus();
}

absl::Status ReadModelFile(RunOptions& options, const Dataset& dataset, RunInputs& inputs) {
  QUANTRY_ASSIGN_OR_RETURN(inputs.model,
                           ReadGraph(options.model_path, ExampleShapes(options, dataset)));
  QUANTRY_ASSIGN_OR_RETURN(const std::string digest, Sha256HexOfFile(options.model_path));
  inputs.model_identity = absl::StrCat("sha256:", digest);
  return ResolveImageSize(options, dataset, inputs.model);
}

absl::Status LoadBuiltinWeights(const BuiltinOptions& builtin, RunInputs& inputs) {
  if (builtin.weights_path.empty()) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const auto weights, engine::ReadWeightsFile(builtin.weights_path));
  QUANTRY_RETURN_IF_ERROR(
      engine::LoadWeights(weights, {.new_classifier = builtin.new_classifier}, inputs.model));
  QUANTRY_ASSIGN_OR_RETURN(const std::string digest, Sha256HexOfFile(builtin.weights_path));
  absl::StrAppend(&inputs.model_identity, "&weights=sha256:", digest);
  if (builtin.new_classifier) absl::StrAppend(&inputs.model_identity, "&new_classifier=true");
  return absl::OkStatus();
}

absl::Status BuildBuiltin(RunOptions& options, const Dataset& dataset, RunInputs& inputs) {
  if (!dataset.arrays().empty()) {
    return absl::InvalidArgumentError(
        "the dataset holds arrays, built-in networks take pictures; give a model file");
  }
  BuiltinOptions& builtin = *options.builtin;
  std::optional<int64_t>& size = options.data.image_size;
  if (!size) size = dataset.native_size().value_or(kDefaultImageSize);
  if (!builtin.num_classes) {
    builtin.num_classes = static_cast<int64_t>(dataset.class_names().size());
  }
  if (*builtin.num_classes == 0) {
    return absl::InvalidArgumentError(
        "the dataset has no labels, so builtin.num_classes must say how many outputs there are");
  }
  QUANTRY_ASSIGN_OR_RETURN(inputs.model,
                           engine::BuildZooModel(builtin.name, {.num_classes = *builtin.num_classes,
                                                                .width = builtin.width,
                                                                .image_size = *size,
                                                                .seed = options.train.seed}));
  inputs.model_identity = absl::StrCat("builtin:", builtin.name, "?width=", builtin.width,
                                       "&num_classes=", *builtin.num_classes);
  return LoadBuiltinWeights(builtin, inputs);
}

// The first dimension of what goes in and out, whatever the file says: it may have been exported
// for a batch of one, but has been seen to run with others.
void FreeBatchDimension(const engine::Graph& model) {
  for (const auto* values : {&model.inputs(), &model.outputs()}) {
    for (engine::Value* value : *values) {
      if (value->type.shape && !value->type.shape->empty()) value->type.shape->front().reset();
    }
  }
}

absl::StatusOr<std::vector<at::Tensor>> ExampleBatch(const RunOptions& options,
                                                     const Dataset& dataset, RunInputs& inputs,
                                                     std::vector<engine::ArrayInput>* arrays) {
  if (dataset.arrays().empty()) return engine::ExamplePictures(*options.data.image_size);
  QUANTRY_ASSIGN_OR_RETURN(*arrays, engine::MatchInputs(inputs.model, dataset.arrays()));
  return engine::ExampleArrays(dataset.arrays(), *arrays);
}

absl::Status LoadModel(RunOptions& options, const Dataset& dataset, RunInputs& inputs,
                       std::vector<engine::ArrayInput>* arrays) {
  QUANTRY_RETURN_IF_ERROR(options.builtin ? BuildBuiltin(options, dataset, inputs)
                                          : ReadModelFile(options, dataset, inputs));
  QUANTRY_ASSIGN_OR_RETURN(inputs.task.output,
                           engine::FindOutput(inputs.model, options.data.task_output));
  options.train.task_output = inputs.task.output;
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<at::Tensor> example,
                           ExampleBatch(options, dataset, inputs, arrays));
  QUANTRY_RETURN_IF_ERROR(engine::CheckModel(inputs.model, example, inputs.task));
  FreeBatchDimension(inputs.model);
  return absl::OkStatus();
}

engine::LoaderOptions CommonLoaderOptions(const RunOptions& options,
                                          const std::vector<engine::ArrayInput>& arrays) {
  return {.batch_size = options.batch_size,
          .image_size = static_cast<int>(options.data.image_size.value_or(kDefaultImageSize)),
          .mean = options.data.mean,
          .std = options.data.std,
          .seed = options.train.seed,
          .decode_threads = options.data.decode_threads,
          .arrays = arrays,
          .max_corrupt_fraction = options.data.max_corrupt_share};
}

absl::Status MakeLoaders(RunOptions& options, const Datasets& datasets,
                         const std::vector<engine::ArrayInput>& arrays, RunInputs& inputs) {
  DataOptions& data = options.data;
  const bool pictures = datasets.train->arrays().empty();
  if (!data.random_crop) data.random_crop = pictures;
  if (!data.random_flip) data.random_flip = pictures && datasets.train->mirrors_well();
  engine::LoaderOptions train = CommonLoaderOptions(options, arrays);
  train.random_crop = *data.random_crop;
  train.random_flip = *data.random_flip;
  train.augment = data.augment;
  train.shuffle = true;
  train.max_examples = data.max_train_examples;
  const int64_t used =
      std::min(datasets.train->size(), data.max_train_examples.value_or(datasets.train->size()));
  // A small last batch makes for noisy BatchNorm statistics.
  train.drop_last = used >= options.batch_size;
  QUANTRY_ASSIGN_OR_RETURN(inputs.train, Loader::Create(datasets.train, train));
  engine::LoaderOptions eval = CommonLoaderOptions(options, arrays);
  eval.max_examples = data.max_eval_examples;
  QUANTRY_ASSIGN_OR_RETURN(inputs.eval, Loader::Create(datasets.eval, eval));
  return absl::OkStatus();
}

// The options that depend on what the data is labelled with.
absl::Status ResolveTask(RunOptions& options, const Dataset& dataset, RunInputs& inputs) {
  inputs.task.kind = dataset.target_kind();
  inputs.task.targets = static_cast<int64_t>(dataset.class_names().size());
  inputs.class_names = dataset.class_names();
  if (!options.loss_given && inputs.task.kind != engine::TargetKind::kNone) {
    options.train.loss.name = std::string(engine::DefaultLoss(inputs.task.kind));
  }
  return ModeOf(options.mode).trains ? engine::CheckTask(options.train, inputs.task.kind)
                                     : absl::OkStatus();
}

absl::Status CheckMixup(const RunOptions& options, const Dataset& dataset,
                        const std::vector<engine::ArrayInput>& arrays) {
  if (options.train.mixup == 0.0) return absl::OkStatus();
  for (const engine::ArrayInput& input : arrays) {
    if (at::isFloatingType(input.dtype)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("mixup is ", options.train.mixup, ", but array '",
                     dataset.arrays()[input.array].name, "' is not of float type; leave it out"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunInputs> LoadInputs(RunOptions& options, const RunWatch& watch) {
  RunInputs inputs;
  const auto datasets = OpenDatasets(options.data, watch);
  const bool fetching_failed =
      absl::IsUnavailable(datasets.status()) || absl::IsResourceExhausted(datasets.status());
  QUANTRY_RETURN_IF_ERROR(WithReason(
      datasets.status(), fetching_failed ? "DATASET_UNAVAILABLE" : "DATASET_INVALID"));
  const Dataset& train = *datasets->train;
  QUANTRY_RETURN_IF_ERROR(WithReason(ResolveTask(options, train, inputs), "DATASET_INVALID"));
  std::vector<engine::ArrayInput> arrays;
  QUANTRY_RETURN_IF_ERROR(WithReason(LoadModel(options, train, inputs, &arrays), "MODEL_INVALID"));
  QUANTRY_RETURN_IF_ERROR(WithReason(CheckMixup(options, train, arrays), "DATASET_INVALID"));
  QUANTRY_RETURN_IF_ERROR(
      WithReason(MakeLoaders(options, *datasets, arrays, inputs), "DATASET_INVALID"));
  return inputs;
}

}  // namespace quantry::trainer
