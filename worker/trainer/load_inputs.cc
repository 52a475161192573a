#include "worker/trainer/load_inputs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/engine/evaluate/evaluate_model.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/script/import_script.h"
#include "worker/engine/weights/load_weights.h"
#include "worker/engine/weights/read_weights.h"
#include "worker/engine/zoo/zoo.h"
#include "worker/trainer/failure.h"

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

absl::StatusOr<Datasets> OpenDatasets(const DataOptions& data) {
  Datasets datasets;
  QUANTRY_ASSIGN_OR_RETURN(
      datasets.train, engine::OpenDataset(data.train_uri, {.split = Split::kTrain,
                                                           .allowed_roots = data.allowed_roots}));
  engine::DatasetOptions eval{.split = Split::kVal, .allowed_roots = data.allowed_roots};
  if (!data.eval_uri.empty()) eval.class_names = datasets.train->class_names();
  QUANTRY_ASSIGN_OR_RETURN(
      datasets.eval,
      engine::OpenDataset(data.eval_uri.empty() ? data.train_uri : data.eval_uri, eval));
  if (datasets.eval->class_names() != datasets.train->class_names()) {
    return absl::InvalidArgumentError("training and evaluation data have different classes");
  }
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

// The graph of an ONNX or TorchScript file, told apart by content. TorchScript knows no input
// sizes: it is read for pictures of `script_size` pixels.
absl::StatusOr<engine::Graph> ReadGraph(const std::filesystem::path& path, int64_t script_size) {
  if (!engine::IsTorchScriptFile(path)) return engine::ImportOnnxFile(path);
  return engine::ImportTorchScriptFile(path, {.input_shapes = {{3, script_size, script_size}}});
}

absl::Status ReadModelFile(RunOptions& options, const Dataset& dataset, RunInputs& inputs) {
  const int64_t script_size =
      options.data.image_size.value_or(dataset.native_size().value_or(kDefaultImageSize));
  QUANTRY_ASSIGN_OR_RETURN(inputs.model, ReadGraph(options.model_path, script_size));
  QUANTRY_ASSIGN_OR_RETURN(const std::string digest, Sha256HexOfFile(options.model_path));
  inputs.model_identity = absl::StrCat("sha256:", digest);
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<int64_t> fixed, FixedImageSize(inputs.model));
  std::optional<int64_t>& size = options.data.image_size;
  if (fixed && size && *fixed != *size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image_size is ", *size, ", but the model's input is fixed to ", *fixed, " pixels"));
  }
  if (!size) size = fixed ? *fixed : dataset.native_size().value_or(kDefaultImageSize);
  return absl::OkStatus();
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
  BuiltinOptions& builtin = *options.builtin;
  std::optional<int64_t>& size = options.data.image_size;
  if (!size) size = dataset.native_size().value_or(kDefaultImageSize);
  if (!builtin.num_classes) {
    builtin.num_classes = static_cast<int64_t>(dataset.class_names().size());
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

absl::Status LoadModel(RunOptions& options, const Dataset& dataset, RunInputs& inputs) {
  QUANTRY_RETURN_IF_ERROR(options.builtin ? BuildBuiltin(options, dataset, inputs)
                                          : ReadModelFile(options, dataset, inputs));
  QUANTRY_RETURN_IF_ERROR(engine::CheckClassifier(
      inputs.model, *options.data.image_size, static_cast<int64_t>(dataset.class_names().size())));
  FreeBatchDimension(inputs.model);
  return absl::OkStatus();
}

engine::LoaderOptions CommonLoaderOptions(const RunOptions& options) {
  return {.batch_size = options.batch_size,
          .image_size = static_cast<int>(*options.data.image_size),
          .mean = options.data.mean,
          .std = options.data.std,
          .seed = options.train.seed,
          .decode_threads = options.data.decode_threads};
}

absl::Status MakeLoaders(RunOptions& options, const Datasets& datasets, RunInputs& inputs) {
  DataOptions& data = options.data;
  if (!data.random_flip) data.random_flip = datasets.train->mirrors_well();
  engine::LoaderOptions train = CommonLoaderOptions(options);
  train.random_crop = data.random_crop;
  train.random_flip = *data.random_flip;
  train.shuffle = true;
  train.max_examples = data.max_train_examples;
  const int64_t used =
      std::min(datasets.train->size(), data.max_train_examples.value_or(datasets.train->size()));
  // A small last batch makes for noisy BatchNorm statistics.
  train.drop_last = used >= options.batch_size;
  QUANTRY_ASSIGN_OR_RETURN(inputs.train, Loader::Create(datasets.train, train));
  engine::LoaderOptions eval = CommonLoaderOptions(options);
  eval.max_examples = data.max_eval_examples;
  QUANTRY_ASSIGN_OR_RETURN(inputs.eval, Loader::Create(datasets.eval, eval));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunInputs> LoadInputs(RunOptions& options) {
  RunInputs inputs;
  const auto datasets = OpenDatasets(options.data);
  QUANTRY_RETURN_IF_ERROR(WithReason(datasets.status(), "DATASET_INVALID"));
  inputs.class_names = datasets->train->class_names();
  QUANTRY_RETURN_IF_ERROR(
      WithReason(LoadModel(options, *datasets->train, inputs), "MODEL_INVALID"));
  QUANTRY_RETURN_IF_ERROR(WithReason(MakeLoaders(options, *datasets, inputs), "DATASET_INVALID"));
  return inputs;
}

}  // namespace quantry::trainer
