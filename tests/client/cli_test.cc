// The program as scripts see it: what it writes where, and its exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "client/request_id.h"
#include "common/files.h"
#include "tests/client/cli_process.h"
#include "tests/client/fake_server.h"
#include "tests/client/sample_job.h"

namespace quantry::client {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kResult[] =
    R"(Model             mobilenet_v2 x0.5
Mode              qat
Bits              W4A4
Top-1 float       95.50%
Top-1 fake-quant  94.82%
Top-1 artifact    94.81%
File size         2.3 MiB, float 8.6 MiB, ratio 0.267
Train time        3m00s

Worst layers  Operator  Tensor      Bits     SQNR
conv2         Conv      activation     4  12.2 dB
fc            Gemm      weight         4  18.0 dB
conv4         Conv      weight         4  19.8 dB
)";

constexpr char kWatchLines[] =
    R"(2026-01-02 03:04:05  QUEUED
2026-01-02 03:04:06  LEASED on workers/w1
2026-01-02 03:04:07  RUNNING on workers/w1
2026-01-02 03:04:09  float       loss 0.2  top-1 95.50%  (1,024 pictures in 2.0s)
2026-01-02 03:04:10  training 5%  epoch 1/2  step 10/200  1,234 img/s  loss 0.532  top-1 81.2%  lr 0.01  2m10s left
2026-01-02 03:04:21  training 60%  epoch 2/2  step 120/200
2026-01-02 03:04:23  WARNING 1 picture skipped
2026-01-02 03:07:19  SUCCEEDED
)";

class CliTest : public testing::Test {
 protected:
  CliResult Run(std::vector<std::string> arguments) {
    return RunCli(arguments, {"QUANTRY_SERVER=" + server_.address()});
  }

  void AddSample() { server_.AddJob(SampleJob(), SampleEvents()); }

  // The sample job, ended in another way.
  void AddEnded(v1::JobState state) {
    v1::Job job = SampleJob();
    job.set_state(state);
    job.clear_result();
    if (state == v1::JOB_STATE_FAILED) {
      job.mutable_failure()->set_kind(v1::FAILURE_KIND_USER);
      job.mutable_failure()->set_reason("DATASET_EMPTY");
      job.mutable_failure()->set_message("the folder /data has no pictures");
      job.mutable_failure()->set_last_words("line 1\nline 2\n");
    }
    server_.AddJob(job, {TerminalEvent(1, state)});
  }

  FakeServer server_;
};

const std::vector<std::string> kSubmit = {
    "submit", "--model", "builtin:resnet18", "--dataset", "synthetic://glyphs", "--mode", "qat"};

std::vector<std::string> Submit(std::vector<std::string> more) {
  std::vector<std::string> arguments = kSubmit;
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST_F(CliTest, WatchShowsTheStoryAndTheResult) {
  AddSample();
  const CliResult result = Run({"watch", "0abc"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, std::string(kWatchLines) + "\n" + kResult);
  EXPECT_EQ(result.err, "");
}

TEST_F(CliTest, WatchJsonWritesEveryEvent) {
  AddSample();
  const CliResult result = Run({"--json", "watch", "jobs/0abc", "--after", "8"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, R"({"sequence":"9","time":"2026-01-02T03:04:23Z",)"
                        R"("log":{"level":"WARNING","message":"1 picture skipped"}})"
                        "\n"
                        R"({"sequence":"10","time":"2026-01-02T03:07:19Z",)"
                        R"("stateChange":{"state":"JOB_STATE_SUCCEEDED","attempt":1}})"
                        "\n");
}

TEST_F(CliTest, WatchMissesNothingOverBrokenConnections) {
  AddSample();
  server_.BreakWatchesAfter({0, 3, 1});
  const CliResult result = Run({"watch", "0abc"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(server_.watched_after(), ElementsAre(0, 0, 3, 4));
  EXPECT_THAT(result.out, HasSubstr("connection lost, connecting again: the server restarts"));
  for (const char* line : {"QUEUED", "RUNNING", "float  ", "SUCCEEDED"}) {
    EXPECT_THAT(result.out, HasSubstr(line));
  }
}

TEST_F(CliTest, ExitCodeTellsHowTheJobEnded) {
  AddEnded(v1::JOB_STATE_FAILED);
  const CliResult failed = Run({"watch", "0abc"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.out,
              EndsWith("Failed: the folder /data has no pictures (USER, DATASET_EMPTY)\n"
                       "The trainer's last words:\n  line 1\n  line 2\n"));
  AddEnded(v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Run({"watch", "0abc"}).exit_code, 3);
}

TEST_F(CliTest, InterruptDetachesAndTellsHowToGoOn) {
  v1::Job job = SampleJob();
  job.set_state(v1::JOB_STATE_RUNNING);
  server_.AddJob(job, {SampleEvents()[0]});
  CliProcess process({"--server", server_.address(), "watch", "0abc"});
  ASSERT_TRUE(server_.AwaitWatches(1));
  process.Signal(SIGINT);
  const CliResult result = process.Wait();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(result.err, "Detached; jobs/0abc goes on.\n  quantry --server " + server_.address() +
                            " watch 0abc   follows it again\n  quantry --server " +
                            server_.address() + " cancel 0abc  ends it\n");
}

TEST_F(CliTest, SubmitWritesTheNameAlone) {
  const CliResult result = Run(kSubmit);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "jobs/0abc\n");
  EXPECT_EQ(result.err, "Submitted. Follow it with: quantry watch 0abc\n");
}

TEST_F(CliTest, SubmitSendsWhatWasAsked) {
  TestFolder folder;
  const std::string config = (folder.path() / "quant.json").string();
  ASSERT_TRUE(WriteFileAtomically(config, R"({"weight_bits": 8, "dtype": "int8"})").ok());
  const CliResult result =
      Run(Submit({"--set", "epochs=3", "--set", "lr=0.05", "--set", "mean=0.5,0.4,0.3", "--set",
                  "quant.weight_bits=4", "--quant-config", config, "--name", "first try", "--label",
                  "team=vision", "--eval-dataset", "file:///data/val"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  ASSERT_EQ(server_.creates().size(), 1u);
  const v1::JobSpec spec = server_.creates()[0].spec();
  EXPECT_EQ(spec.mode(), v1::MODE_QAT);
  EXPECT_EQ(spec.model().builtin().name(), "resnet18");
  EXPECT_EQ(spec.data().train_uri(), "synthetic://glyphs");
  EXPECT_EQ(spec.data().eval_uri(), "file:///data/val");
  EXPECT_THAT(spec.data().mean(), ElementsAre(0.5, 0.4, 0.3));
  EXPECT_EQ(spec.training().epochs(), 3);
  EXPECT_EQ(spec.training().learning_rate(), 0.05);
  EXPECT_EQ(spec.quant_config(), R"({"dtype":"int8","weight_bits":4})");
  EXPECT_EQ(spec.display_name(), "first try");
  EXPECT_EQ(spec.labels().at("team"), "vision");
  EXPECT_TRUE(IsRequestId(server_.creates()[0].request_id()));
}

TEST_F(CliTest, SubmitRepeatsWithOneRequestId) {
  server_.LoseCreateAnswers(2);
  EXPECT_EQ(Run(kSubmit).exit_code, 0);
  const std::vector<v1::CreateJobRequest> creates = server_.creates();
  ASSERT_EQ(creates.size(), 3u);
  EXPECT_EQ(creates[0].request_id(), creates[2].request_id());
}

TEST_F(CliTest, SubmitWaitJsonWritesTheJobAsItEnded) {
  AddSample();
  const CliResult result = Run(Submit({"--wait", "--json"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, AllOf(StartsWith(R"({"name":"jobs/0abc")"),
                                HasSubstr(R"("state":"JOB_STATE_SUCCEEDED")"), EndsWith("}\n")));
  EXPECT_EQ(result.err, std::string("Submitted jobs/0abc\n") + kWatchLines);
}

TEST_F(CliTest, SubmitWaitShowsTheResult) {
  AddSample();
  const CliResult result = Run(Submit({"--wait"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, std::string("Submitted jobs/0abc\n") + kWatchLines + "\n" + kResult);
}

TEST_F(CliTest, ValidateOnlySubmitsNothing) {
  const CliResult result = Run(Submit({"--validate-only"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "The job is valid; nothing was submitted.\n");
  EXPECT_TRUE(server_.creates().at(0).validate_only());
}

TEST_F(CliTest, DevicesAreResourcesOfTheJob) {
  EXPECT_EQ(Run(Submit({"--validate-only", "--devices", "2"})).exit_code, 0);
  EXPECT_EQ(server_.creates().at(0).spec().resources().device_count(), 2);
  EXPECT_EQ(server_.creates().at(0).spec().resources().device_kind(), "cpu");
  EXPECT_EQ(Run(Submit({"--validate-only", "--devices", "1"})).exit_code, 0);
  EXPECT_EQ(server_.creates().at(1).spec().resources().device_kind(), "");
  EXPECT_EQ(Run(Submit({"--devices", "65"})).exit_code, 2);
}

TEST_F(CliTest, RefusalNamesEachField) {
  server_.RefuseCreate(InvalidSpecError());
  const CliResult result = Run(kSubmit);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "error: the spec is invalid (INVALID_ARGUMENT, SPEC_INVALID)\n"
            "  spec.training.epochs: is -1; allowed: 0 or more\n"
            "  spec.quant_config.weight_bits: is 1; allowed: 2 to 8\n");
}

TEST_F(CliTest, WrongUsageSendsNothing) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"frobnicate"},
      {"submit", "--model", "builtin:resnet18"},
      {"submit", "--model", "builtin:resnet18", "--dataset", "synthetic://glyphs", "--mode", "x"},
      {"submit", "--model", "no.onnx", "--dataset", "synthetic://glyphs", "--mode", "qat"},
      Submit({"--set", "epoch=3"}),
      Submit({"--label", "team"}),
      Submit({"--request-id", "7"}),
      Submit({"--quant-config", "/nonexistent/quant.json"}),
      {"watch", "a/b"},
      {"watch", "0abc", "--after", "-1"},
      {"list", "--state", "asleep"},
  };
  for (const auto& arguments : wrong) {
    const CliResult result = Run(arguments);
    EXPECT_EQ(result.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(result.out, "") << testing::PrintToString(arguments);
    EXPECT_NE(result.err, "") << testing::PrintToString(arguments);
  }
  EXPECT_TRUE(server_.creates().empty());
}

TEST_F(CliTest, NoServerIsItsOwnExitCode) {
  const CliResult result = RunCli({"--server", "127.0.0.1:1", "--retry-for", "0", "list"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.err, AllOf(HasSubstr("no server answers at 127.0.0.1:1"),
                                HasSubstr("quantry-server --listen"), HasSubstr("QUANTRY_SERVER")));
  EXPECT_EQ(RunCli({"--server", "127.0.0.1:1", "--retry-for", "0", "watch", "0abc"}).exit_code, 4);
}

TEST_F(CliTest, ListFollowsPagesUpToTheLimit) {
  for (const char* id : {"a", "b", "c"}) {
    v1::Job job = SampleJob();
    job.set_name(std::string("jobs/") + id);
    if (*id == 'c') job.set_state(v1::JOB_STATE_CANCELLED);
    server_.AddJob(job, {});
  }
  EXPECT_EQ(Run({"list", "--limit", "2"}).out,
            "Job  State      Mode  Model              Bits   Top-1  Progress  Created              "
            "Run time  Name\n"
            "a    SUCCEEDED  qat   mobilenet_v2 x0.5  W4A4  94.81%  -         2026-01-02 03:04:05  "
            "   3m12s  glyphs w4a4\n"
            "b    SUCCEEDED  qat   mobilenet_v2 x0.5  W4A4  94.81%  -         2026-01-02 03:04:05  "
            "   3m12s  glyphs w4a4\n");
  const CliResult cancelled = Run({"list", "--state", "cancelled", "--json"});
  EXPECT_THAT(cancelled.out, StartsWith(R"({"name":"jobs/c")"));
  EXPECT_THAT(cancelled.out, Not(HasSubstr("SUCCEEDED")));
}

TEST_F(CliTest, GetShowsOneJob) {
  AddSample();
  const CliResult result = Run({"get", "0abc"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, StartsWith("Job           jobs/0abc\nName          glyphs w4a4\n"));
  EXPECT_THAT(result.out, HasSubstr(kResult));
  const CliResult missing = Run({"get", "other"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.err, "error: there is no job jobs/other (NOT_FOUND)\n");
}

TEST_F(CliTest, CancelTellsTheState) {
  v1::Job job = SampleJob();
  job.set_state(v1::JOB_STATE_RUNNING);
  server_.AddJob(job, {});
  EXPECT_EQ(Run({"cancel", "0abc"}).out,
            "jobs/0abc is RUNNING; it will be CANCELLED when its trainer has ended\n");
}

TEST_F(CliTest, LogsEndWithTheLastEventUnlessFollowing) {
  v1::Job job = SampleJob();
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_last_sequence(9);
  std::vector<v1::Event> events = SampleEvents();
  events.pop_back();
  server_.AddJob(job, events);
  EXPECT_EQ(Run({"logs", "0abc"}).out,
            "2026-01-02 03:04:22  INFO frozen statistics\n"
            "2026-01-02 03:04:23  WARNING 1 picture skipped\n");
  AddSample();
  EXPECT_THAT(Run({"logs", "0abc", "--follow", "--json"}).out,
              HasSubstr(R"("message":"frozen statistics")"));
}

TEST_F(CliTest, CapabilitiesAndVersion) {
  EXPECT_THAT(Run({"capabilities"}).out,
              AllOf(HasSubstr("Server version   9.8.7\n"), HasSubstr("2.0 GiB"),
                    HasSubstr("w1      host-1  cuda:0 NVIDIA H200  alive  -\n")));
  EXPECT_THAT(Run({"version"}).out, HasSubstr("server at " + server_.address() + ": 9.8.7\n"));
}

TEST_F(CliTest, InspectAndDatasetAreTheTrainers) {
  TestFolder folder;
  const std::string trainer = (folder.path() / "trainer").string();
  ASSERT_TRUE(WriteFileAtomically(trainer, "#!/bin/sh\necho \"$@\"\nexit 7\n").ok());
  std::filesystem::permissions(trainer, std::filesystem::perms::owner_all);
  const CliProcess::Environment environment = {"QUANTRY_TRAINER=" + trainer};
  const CliResult inspect = RunCli({"inspect", "m.onnx", "--json"}, environment);
  EXPECT_EQ(inspect.exit_code, 7);
  EXPECT_EQ(inspect.out, "inspect m.onnx --json\n");
  EXPECT_EQ(
      RunCli({"dataset", "synthetic://glyphs", "--output", "x", "--split", "val", "--limit", "9"},
             environment)
          .out,
      "dataset synthetic://glyphs --output x --split val --limit 9\n");
  EXPECT_EQ(RunCli({"--json", "dataset", "synthetic://glyphs", "--output", "x"}, environment).out,
            "dataset synthetic://glyphs --output x --json\n");
  EXPECT_EQ(RunCli({"inspect", "builtin:resnet18?classes=10&width=0.5"}, environment).out,
            "inspect --builtin resnet18 --classes 10 --width 0.5\n");
  const CliResult job = RunCli({"inspect", "job:0abc"}, environment);
  EXPECT_EQ(job.exit_code, 2);
  EXPECT_THAT(job.err, HasSubstr("quantry download jobs/0abc --artifact model.float.onnx"));
  const CliResult missing = RunCli({"inspect", "m.onnx"}, {"QUANTRY_TRAINER=/nonexistent"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("QUANTRY_TRAINER is '/nonexistent', which is no program"));
}

TEST_F(CliTest, HelpNamesExitCodesAndSettings) {
  const CliResult help = RunCli({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("Exit codes"), HasSubstr("130")));
  EXPECT_THAT(RunCli({"submit", "--help"}).out,
              AllOf(HasSubstr("training.epochs"), HasSubstr("quant.weight_bits")));
}

TEST_F(CliTest, ExplainNeedsNoServerAndNamesTheNearestKey) {
  const std::vector<std::string> nowhere = {"QUANTRY_SERVER=localhost:1"};
  const CliResult one = RunCli({"explain", "weight_bits"}, nowhere);
  EXPECT_EQ(one.exit_code, 0);
  EXPECT_THAT(one.out, AllOf(StartsWith("weight_bits\n"), HasSubstr("whole numbers from 2 to 16")));
  const CliResult json = RunCli({"--json", "explain", "dtype"}, nowhere);
  EXPECT_THAT(json.out,
              AllOf(StartsWith("{\"name\":\"dtype\""), HasSubstr("\"default\":\"int8\"")));
  const CliResult wrong = RunCli({"explain", "dtyp"}, nowhere);
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("did you mean 'dtype'?"));
  EXPECT_EQ(wrong.out, "");
}

}  // namespace
}  // namespace quantry::client
