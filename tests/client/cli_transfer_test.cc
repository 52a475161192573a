// Files that go up with a submit and come down with a download.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "common/sha256.h"
#include "tests/client/cli_process.h"
#include "tests/client/fake_server.h"
#include "tests/client/sample_job.h"

namespace quantry::client {
namespace {

using testing::HasSubstr;

class CliTransferTest : public testing::Test {
 protected:
  CliResult Run(std::vector<std::string> arguments) {
    return RunCli(arguments, {"QUANTRY_SERVER=" + server_.address()});
  }

  void AddJobWith(const std::string& artifact, const std::string& bytes) {
    v1::Job job = SampleJob();
    v1::Artifact& entry = *job.add_artifacts();
    entry.set_name(artifact);
    entry.set_blob(Sha256Hex(bytes));
    entry.set_size_bytes(static_cast<int64_t>(bytes.size()));
    server_.AddJob(job, {});
    server_.AddBlob(entry.blob(), bytes);
  }

  FakeServer server_;
  TestFolder folder_;
};

TEST_F(CliTransferTest, ModelFileIsUploadedOnce) {
  const std::string model = (folder_.path() / "model.onnx").string();
  const std::string bytes(300'000, 'm');
  ASSERT_TRUE(WriteFileAtomically(model, bytes).ok());
  const std::vector<std::string> submit = {
      "submit", "--model", model, "--dataset", "synthetic://glyphs", "--mode", "ptq"};
  const CliResult result = Run(submit);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(server_.creates().at(0).spec().model().blob(), Sha256Hex(bytes));
  EXPECT_EQ(server_.blob(Sha256Hex(bytes)), bytes);
  EXPECT_EQ(Run(submit).exit_code, 0);
  EXPECT_EQ(server_.uploads(), 1);
}

TEST_F(CliTransferTest, WeightsOfABuiltinModelAreUploaded) {
  const std::string weights = (folder_.path() / "w.safetensors").string();
  ASSERT_TRUE(WriteFileAtomically(weights, "the weights").ok());
  std::vector<std::string> submit = {"submit",
                                     "--model",
                                     "builtin:resnet18",
                                     "--weights",
                                     weights,
                                     "--dataset",
                                     "synthetic://glyphs",
                                     "--mode",
                                     "float",
                                     "--set",
                                     "model.builtin.new_classifier=true"};
  const CliResult result = Run(submit);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const v1::BuiltinModel builtin = server_.creates().at(0).spec().model().builtin();
  EXPECT_EQ(builtin.name(), "resnet18");
  EXPECT_EQ(builtin.weights(), Sha256Hex("the weights"));
  EXPECT_TRUE(builtin.new_classifier());
  EXPECT_EQ(server_.blob(builtin.weights()), "the weights");
  submit[4] = "/no/such/file";
  EXPECT_THAT(Run(submit).err, HasSubstr("there is no such file"));
  submit[2] = "job:0abc";
  EXPECT_THAT(Run(submit).err, HasSubstr("--weights is only for"));
}

TEST_F(CliTransferTest, DownloadWritesArtifacts) {
  AddJobWith("model.onnx", "the model");
  const std::string output = (folder_.path() / "new/out").string();
  const CliResult result = Run({"download", "0abc", "--output", output});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "Artifact    Size  File\nmodel.onnx   9 B  " + output + "/model.onnx\n");
  EXPECT_EQ(ReadFile(output + "/model.onnx").value_or(""), "the model");

  // What is there already is not asked for again; what is damaged is.
  server_.AddBlob(Sha256Hex("the model"), "");
  EXPECT_EQ(Run({"download", "0abc", "--output", output}).exit_code, 0);
  ASSERT_TRUE(WriteFileAtomically(output + "/model.onnx", "the mOdel").ok());
  server_.AddBlob(Sha256Hex("the model"), "the model");
  EXPECT_EQ(Run({"download", "0abc", "--output", output}).exit_code, 0);
  EXPECT_EQ(ReadFile(output + "/model.onnx").value_or(""), "the model");
}

TEST_F(CliTransferTest, DownloadOfOneAsJson) {
  AddJobWith("report.json", "{}");
  const std::string output = folder_.path().string();
  const CliResult result =
      Run({"download", "0abc", "--output", output, "--artifact", "report.json", "--json"});
  EXPECT_EQ(result.out, R"({"files":[{"name":"report.json","path":")" + output +
                            R"(/report.json","sha256":")" + Sha256Hex("{}") +
                            R"(","sizeBytes":2}],"job":"jobs/0abc"})" + "\n");
  const CliResult other = Run({"download", "0abc", "--output", output, "--artifact", "model.onx"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("no artifact 'model.onx'; allowed: report.json"));
}

TEST_F(CliTransferTest, NothingIsWrittenOutsideTheFolder) {
  AddJobWith("../evil", "bytes");
  const std::string output = (folder_.path() / "out").string();
  const CliResult result = Run({"download", "0abc", "--output", output});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("'../evil', which is no file name"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "evil"));
}

TEST_F(CliTransferTest, JobWithoutArtifactsSaysWhy) {
  v1::Job job = SampleJob();
  job.set_state(v1::JOB_STATE_RUNNING);
  server_.AddJob(job, {});
  const CliResult result = Run({"download", "0abc", "--output", folder_.path().string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("jobs/0abc is RUNNING and has no artifacts"));
}

TEST_F(CliTransferTest, WrongBytesAreDataLoss) {
  AddJobWith("model.onnx", "the model");
  server_.AddBlob(Sha256Hex("the model"), "the mOdel");
  const CliResult result = Run({"download", "0abc", "--output", folder_.path().string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("DATA_LOSS"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "model.onnx"));
}

}  // namespace
}  // namespace quantry::client
