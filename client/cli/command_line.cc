#include "client/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/admin_command_line.h"
#include "client/cli/chosen_command.h"
#include "client/cli/cli_context.h"
#include "client/cli/download_command.h"
#include "client/cli/explain_command.h"
#include "client/cli/job_commands.h"
#include "client/cli/submit_command.h"
#include "client/cli/trainer_program.h"
#include "client/cli/watch_command.h"
#include "client/dataset_uri.h"
#include "client/model_argument.h"
#include "client/spec_settings.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

constexpr char kJobHelp[] = "ID or jobs/ID, as 'quantry list' shows it";
constexpr char kFooter[] =
    "Exit codes: 0 success; 1 the call failed or the job FAILED; 2 wrong usage; 3 the job was\n"
    "CANCELLED; 4 the server is unreachable; 130 Ctrl-C detached from a job that goes on.\n"
    "Environment: QUANTRY_SERVER, QUANTRY_TRAINER, NO_COLOR. More: docs/cli.md.";

void AddSubmit(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand("submit", "Submit a job");
  const auto options = MakeOptions<SubmitOptions>();
  command
      .add_option("--model", options->model,
                  "ONNX file, builtin:NAME[?classes=N&width=F], or job:ID for its float model")
      ->required();
  command.add_option(
      "--weights", options->weights,
      "For builtin:NAME: safetensors, ONNX or TorchScript file with torchvision's names");
  command
      .add_option("--dataset", options->dataset,
                  "Folder, or a URI such as file:///path, csv:///list.csv, wds:///shards,\n"
                  "cifar10:///folder, mnist:///folder, synthetic://glyphs?...")
      ->required();
  command.add_option("--eval-dataset", options->eval_dataset,
                     "The same for evaluation; else derived from --dataset");
  command
      .add_option("--mode", options->mode,
                  "float: train; ptq: calibrate only; qat: both; evaluate: measure a model;\n"
                  "sensitivity: quantize each layer alone and measure; mixed_precision: choose\n"
                  "the bits of each layer under a budget, then as qat")
      ->required()
      ->check(CLI::IsMember({"float", "ptq", "qat", "evaluate", "sensitivity", "mixed_precision"}));
  command.add_option("--quant-config", options->quant_config_file,
                     "JSON file in the form of PaddleSlim's quant_config");
  command
      .add_option("--devices", options->devices,
                  "Processes that train together, each on its part of every batch")
      ->check(CLI::Range(1, 64));
  command.add_option("--set", options->settings, "KEY=VALUE; any setting of the list below")
      ->allow_extra_args(false);
  command.add_option("--name", options->display_name, "What people call the job");
  command.add_option("--label", options->labels, "KEY=VALUE to find the job by")
      ->allow_extra_args(false);
  command.add_option("--namespace", options->name_space, "Whose the job is; default: yours");
  command.add_option("--request-id", options->request_id,
                     "UUID that makes repeats of this submit safe; made up if not given");
  command.add_flag("--wait", options->wait, "Follow the job to its end and show its result");
  command.add_flag("--validate-only", options->validate_only, "Check everything, store nothing");
  command.footer(absl::StrCat(
      "Settings for --set. The last part is enough where it is unique (epochs=3); lr is\n"
      "learning_rate; lists are comma-separated (mean=0.5,0.5,0.5):\n  ",
      absl::StrJoin(KnownSettings(), "\n  ")));
  command.callback([&line, options] {
    line.action = [&line, options] { return RunSubmit(*options, line.context); };
  });
}

void AddWatch(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand("watch", "Follow a job to its end");
  const auto options = MakeOptions<WatchOptions>();
  command.add_option("job", options->job, kJobHelp)->required();
  command.add_option("--after", options->after_sequence, "Show only events after this number")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--reconnect-for", options->reconnect_seconds,
                  "Seconds to try again for when the connection is lost")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.callback([&line, options] {
    line.action = [&line, options] { return RunWatch(*options, line.context); };
  });
}

void AddList(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand("list", "List jobs, newest first unless told otherwise");
  const auto options = MakeOptions<ListOptions>();
  command
      .add_option("--state", options->states,
                  "Only jobs in this state (queued, running, succeeded, ...); may be repeated")
      ->allow_extra_args(false);
  command.add_option("--limit", options->limit, "At most this many; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--filter", options->filter,
                     "Only jobs for which this holds, such as\n"
                     "'state = FAILED AND labels.team = \"vision\" AND create_time > "
                     "2026-01-31T00:00:00Z'");
  command.add_option("--order-by", options->order_by,
                     "create_time, update_time, end_time, priority or display_name; 'FIELD desc' "
                     "turns it round");
  command.add_option("--namespace", options->name_space, "Only jobs of this one");
  command.add_flag("--deleted", options->show_deleted, "Deleted jobs, too");
  command.callback([&line, options] {
    line.action = [&line, options] { return RunList(*options, line.context); };
  });
}

// A command whose only argument is a job.
void AddJobCommand(CLI::App& app, CommandLine& line, const std::string& name,
                   const std::string& help, int (*run)(const std::string&, const CliContext&)) {
  CLI::App& command = *app.add_subcommand(name, help);
  const auto job = MakeOptions<std::string>();
  command.add_option("job", *job, kJobHelp)->required();
  command.callback(
      [&line, job, run] { line.action = [&line, job, run] { return run(*job, line.context); }; });
}

void AddDownload(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand(
      "download", "Fetch a job's artifacts; continues what was interrupted, checks the hashes");
  const auto options = MakeOptions<DownloadOptions>();
  command.add_option("job", options->job, kJobHelp)->required();
  command.add_option("--output", options->output, "Folder; made if it does not exist")->required();
  command.add_option("--artifact", options->artifact, "Only this one, e.g. model.onnx");
  command.callback([&line, options] {
    line.action = [&line, options] { return RunDownload(*options, line.context); };
  });
}

void AddLogs(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand("logs", "Show a job's log lines");
  const auto options = MakeOptions<LogsOptions>();
  command.add_option("job", options->job, kJobHelp)->required();
  command.add_flag("--follow", options->follow, "Wait for more until the job ends");
  command.callback([&line, options] {
    line.action = [&line, options] { return RunLogs(*options, line.context); };
  });
}

int HandToTrainer(const std::vector<std::string>& arguments, const CliContext& context) {
  return context.FailUsage(ExecTrainer(arguments));
}

// The trainer's arguments for the model that a person names as for submit.
absl::StatusOr<std::vector<std::string>> InspectArguments(const std::string& argument) {
  QUANTRY_ASSIGN_OR_RETURN(const ModelArgument model, ParseModelArgument(argument));
  if (const auto* path = std::get_if<std::filesystem::path>(&model)) {
    return std::vector<std::string>{"inspect", path->string()};
  }
  const auto& source = std::get<v1::ModelSource>(model);
  if (!source.has_builtin()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model '", argument, "': a job's model must be fetched first, with 'quantry download ",
        source.job(),
        " --artifact model.float.onnx --output DIR'; allowed: an ONNX or TorchScript "
        "file, builtin:NAME"));
  }
  const v1::BuiltinModel& builtin = source.builtin();
  std::vector<std::string> arguments = {"inspect", "--builtin", builtin.name()};
  if (builtin.has_num_classes()) {
    arguments.insert(arguments.end(), {"--classes", absl::StrCat(builtin.num_classes())});
  }
  if (builtin.has_width()) {
    arguments.insert(arguments.end(), {"--width", absl::StrCat(builtin.width())});
  }
  return arguments;
}

void AddInspect(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand(
      "inspect", "Show what a model is, what would be quantized, what is unsupported");
  const auto model = MakeOptions<std::string>();
  command.add_option("model", *model, "ONNX file or builtin:NAME[?classes=N&width=F]")->required();
  command.callback([&line, model] {
    line.action = [&line, model]() -> int {
      absl::StatusOr<std::vector<std::string>> arguments = InspectArguments(*model);
      if (!arguments.ok()) return line.context.FailUsage(arguments.status());
      if (line.context.json) arguments->push_back("--json");
      return HandToTrainer(*arguments, line.context);
    };
  });
}

void AddExplain(CLI::App& app, CommandLine& line) {
  CLI::App& command = *app.add_subcommand("explain", "Show what the keys of quant_config mean");
  const auto key = MakeOptions<std::string>();
  command.add_option("key", *key, "Only this one, e.g. weight_bits or overrides.pattern");
  command.callback(
      [&line, key] { line.action = [&line, key] { return RunExplain(*key, line.context); }; });
}

struct DatasetOptions {
  std::string uri;
  std::string output;
  std::string split;
  int64_t limit = 0;
};

void AddDataset(CLI::App& app, CommandLine& line) {
  CLI::App& command =
      *app.add_subcommand("dataset", "Write a dataset as PNG files, one folder per class");
  const auto options = MakeOptions<DatasetOptions>();
  command.add_option("uri", options->uri, "synthetic://glyphs?... or file:///path")->required();
  command.add_option("--output", options->output, "Folder to write")->required();
  command.add_option("--split", options->split, "train, val or all (default)")
      ->check(CLI::IsMember({"train", "val", "all"}));
  command.add_option("--limit", options->limit, "At most this many pictures of each part")
      ->check(CLI::PositiveNumber);
  command.callback([&line, options] {
    line.action = [&line, options]() -> int {
      const absl::StatusOr<std::string> uri = NormalizeDatasetUri(options->uri);
      if (!uri.ok()) return line.context.FailUsage(uri.status());
      std::vector<std::string> arguments = {"dataset", *uri, "--output", options->output};
      if (!options->split.empty()) {
        arguments.insert(arguments.end(), {"--split", options->split});
      }
      if (options->limit > 0) {
        arguments.insert(arguments.end(), {"--limit", absl::StrCat(options->limit)});
      }
      if (line.context.json) arguments.push_back("--json");
      return HandToTrainer(arguments, line.context);
    };
  });
}

void AddPlainCommand(CLI::App& app, CommandLine& line, const std::string& name,
                     const std::string& help, int (*run)(const CliContext&)) {
  app.add_subcommand(name, help)->callback([&line, run] {
    line.action = [&line, run] { return run(line.context); };
  });
}

void AddGlobalOptions(CLI::App& app, CommandLine& line) {
  ChannelOptions& server = line.context.server;
  app.add_option("--server", server.address, "Address of the server, HOST:PORT")
      ->envname("QUANTRY_SERVER")
      ->capture_default_str();
  app.add_flag("--tls", server.tls, "Encrypted; the server's certificate must be good")
      ->envname("QUANTRY_TLS");
  app.add_option("--tls-ca", server.tls_ca,
                 "PEM file of who signs the server's certificate; default: the system's")
      ->envname("QUANTRY_TLS_CA");
  app.add_option("--tls-cert", server.tls_cert, "PEM file with this client's certificate")
      ->envname("QUANTRY_TLS_CERT");
  app.add_option("--tls-key", server.tls_key, "PEM file with its key")->envname("QUANTRY_TLS_KEY");
  app.add_option("--token-file", server.token_file,
                 "File with the bearer token; or the token itself in QUANTRY_TOKEN")
      ->envname("QUANTRY_TOKEN_FILE");
  app.add_flag("--json", line.context.json, "Write JSON for scripts instead of text");
  app.add_option("--retry-for", line.context.retry_seconds,
                 "Seconds to wait for a server that does not answer")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.set_version_flag("--version", absl::StrCat("quantry ", QUANTRY_VERSION));
}

// Whether --server was on the command line, so that hints must repeat it.
bool ServerWasGiven(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--server" || absl::StartsWith(argument, "--server=")) return true;
  }
  return false;
}

}  // namespace

int RunCommandLine(int argc, char** argv) {
  CommandLine line;
  CLI::App app("Quantry: quantization-aware training as a service", "quantry");
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(kFooter);
  AddGlobalOptions(app, line);
  AddSubmit(app, line);
  AddWatch(app, line);
  AddList(app, line);
  AddJobCommand(app, line, "get", "Show one job", RunGet);
  AddJobCommand(app, line, "cancel", "End a job", RunCancel);
  AddJobCommand(app, line, "pause", "Put a job aside; its worker writes a checkpoint first",
                RunPause);
  AddJobCommand(app, line, "resume", "Let a paused job go on", RunResume);
  AddJobCommand(app, line, "retry", "Queue a failed or cancelled job again", RunRetry);
  AddJobCommand(app, line, "delete", "Hide a job that has ended, and remove it later", RunDelete);
  AddJobCommand(app, line, "undelete", "Take a delete back", RunUndelete);
  AddDownload(app, line);
  AddLogs(app, line);
  AddInspect(app, line);
  AddExplain(app, line);
  AddDataset(app, line);
  AddAdmin(app, line);
  AddPlainCommand(app, line, "capabilities", "Show what the server and its workers can do",
                  RunCapabilities);
  AddPlainCommand(app, line, "version", "Show the versions of client and server", RunVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (ServerWasGiven(argc, argv)) {
    line.context.program = absl::StrCat("quantry --server ", line.context.server.address);
  }
  if (const char* token = std::getenv("QUANTRY_TOKEN")) line.context.server.token = token;
  auto channel = OpenChannel(line.context.server);
  if (!channel.ok()) return line.context.FailUsage(channel.status());
  line.context.channel = *std::move(channel);
  return line.action();
}

}  // namespace quantry::client
