// quantry-trainer: one training run, usable with or without a server.

#include <CLI/CLI.hpp>
#include <iostream>

#include "worker/trainer/dataset_command.h"
#include "worker/trainer/inspect_command.h"
#include "worker/trainer/process_policy.h"
#include "worker/trainer/run_command.h"

namespace {

using quantry::trainer::DatasetCommand;
using quantry::trainer::InspectCommand;
using quantry::trainer::RunCommand;

void AddRun(CLI::App& app, RunCommand& run) {
  app.add_option("--spec", run.spec, "The run: a quantry.v1.TrainerSpec as JSON");
  app.add_option("--output", run.output, "Folder for artifacts and checkpoint");
  app.add_option("--events-fd", run.events_fd,
                 "Write delimited quantry.v1.TrainerEvent messages to this descriptor");
  app.add_option("--device", run.device, "Where to train: cpu (overrides the spec)");
  app.add_option("--rank", run.ranks.rank,
                 "Which of the processes that train together this is, from 0 (or RANK)");
  app.add_option("--world-size", run.ranks.world_size, "How many there are (or WORLD_SIZE)");
  app.add_option("--rendezvous", run.ranks.rendezvous,
                 "HOST:PORT at which rank 0 listens (or MASTER_ADDR and MASTER_PORT)");
}

CLI::App* AddInspect(CLI::App& app, InspectCommand& inspect) {
  CLI::App* command = app.add_subcommand("inspect", "Describe a model");
  CLI::Option_group* which = command->add_option_group("model");
  which->add_option("model", inspect.model, "ONNX or TorchScript file");
  CLI::Option* builtin =
      which->add_option("--builtin", inspect.builtin, "A built-in network instead of a file");
  which->require_option(1);
  command->add_option("--classes", inspect.num_classes, "Its outputs (default 1000)")
      ->needs(builtin);
  command->add_option("--width", inspect.width, "Its channel multiplier (default 1)")
      ->needs(builtin);
  command
      ->add_option("--image-size", inspect.image_size,
                   "Pixels that a TorchScript model is read for (default 224)")
      ->check(CLI::Range(1, 8192));
  command->add_flag("--json", inspect.json, "One JSON object");
  return command;
}

CLI::App* AddDataset(CLI::App& app, DatasetCommand& dataset) {
  CLI::App* command = app.add_subcommand("dataset", "Write a dataset as a folder of PNG files");
  command->add_option("uri", dataset.uri, "e.g. synthetic://glyphs?classes=36&size=32")->required();
  command->add_option("--output", dataset.output, "Folder to write to")->required();
  command->add_option("--split", dataset.split, "train, val or all (default)")
      ->check(CLI::IsMember({"train", "val", "all"}));
  command->add_option("--limit", dataset.limit, "At most so many pictures of each split")
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", dataset.json, "One JSON object");
  return command;
}

// For the worker: a device per line.
int PrintDevices() {
  std::cout << "cpu\n";
  return quantry::trainer::kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  quantry::trainer::UseTrainingPolicies(argv);
  CLI::App app("Trains and quantizes one model.", "quantry-trainer");
  app.set_version_flag("--version", "quantry-trainer " QUANTRY_VERSION);
  app.require_subcommand(0, 1);
  RunCommand run;
  InspectCommand inspect;
  DatasetCommand dataset;
  AddRun(app, run);
  const CLI::App* inspect_command = AddInspect(app, inspect);
  const CLI::App* dataset_command = AddDataset(app, dataset);
  const CLI::App* devices_command =
      app.add_subcommand("devices", "List the devices that runs can use");
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty() && (run.spec.empty() || run.output.empty())) {
      throw CLI::RequiredError("--spec and --output, or a subcommand,");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? quantry::trainer::kExitOk : quantry::trainer::kExitUsage;
  }
  if (inspect_command->parsed()) return quantry::trainer::InspectModel(inspect);
  if (dataset_command->parsed()) return quantry::trainer::WriteDatasetFiles(dataset);
  if (devices_command->parsed()) return PrintDevices();
  return quantry::trainer::RunTraining(run);
}
