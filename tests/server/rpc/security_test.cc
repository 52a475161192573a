#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "client/admin_client.h"
#include "client/job_client.h"
#include "client/transfer/channel_options.h"
#include "client/transfer/grpc_status.h"
#include "common/files.h"
#include "common/sha256.h"
#include "quantry/v1/admin_service.grpc.pb.h"
#include "quantry/v1/blob_service.grpc.pb.h"
#include "quantry/v1/capabilities.grpc.pb.h"
#include "quantry/v1/worker_service.grpc.pb.h"
#include "server/core/permissions.h"
#include "server/rpc/server.h"
#include "server/store/memory_blob_store.h"
#include "server/store/sql_job_store.h"
#include "server/store/token_store.h"
#include "tests/server/fake_clock.h"
#include "tests/server/sample_spec.h"
#include "tests/server/temp_folder.h"

// Who may do what: tokens, certificates, roles and namespaces, over real TLS connections.
namespace quantry::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRoot[] = "a-root-token-for-tests-0123456789";

// A certificate authority and what it signs, made by OpenSSL's program.
class TestCertificates {
 public:
  explicit TestCertificates(const std::filesystem::path& folder) : folder_(folder) {
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=ca -keyout ca.key -out ca.pem");
    Sign("server", "localhost");
  }

  // NAME.pem and NAME.key, with this common name.
  void Sign(const std::string& name, const std::string& common_name) {
    Run(absl::StrCat(
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=",
        common_name, "' -keyout ", name, ".new -out request.pem"));
    std::ofstream(folder_ / "san") << "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    Run(absl::StrCat(
        "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial "
        "-days 2 -extfile san -out ",
        name, ".crt && mv ", name, ".new ", name, ".key && mv ", name, ".crt ", name, ".pem"));
  }

  std::filesystem::path File(const std::string& name) const { return folder_ / name; }

 private:
  void Run(const std::string& command) const {
    const std::string quiet =
        absl::StrCat("cd ", folder_.string(), " && (", command, ") 2>/dev/null");
    if (std::system(quiet.c_str()) != 0) ADD_FAILURE() << command;
  }

  const std::filesystem::path folder_;
};

class SecurityTest : public testing::Test {
 protected:
  SecurityTest() {
    options_.listen = "127.0.0.1:0";
    options_.tls = {.certificate = certificates_.File("server.pem"),
                    .key = certificates_.File("server.key"),
                    .client_ca = certificates_.File("ca.pem")};
    options_.authentication = {.required = true, .root_token_sha256 = Sha256Hex(kRoot)};
    options_.audit_log = folder_.path() / "audit.log";
  }

  void Start() {
    auto server = Server::Start(options_, {jobs_, blobs_, tokens_, quotas_}, clock_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::shared_ptr<grpc::Channel> Channel(const std::string& token,
                                         const std::string& certificate = "") {
    client::ChannelOptions options{.address = server_->listen_address(),
                                   .tls_ca = certificates_.File("ca.pem"),
                                   .token = token};
    if (!certificate.empty()) {
      options.tls_cert = certificates_.File(certificate + ".pem");
      options.tls_key = certificates_.File(certificate + ".key");
    }
    const auto channel = client::OpenChannel(options);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }
  client::JobClient Client(const std::string& token, const std::string& certificate = "") {
    return client::JobClient(Channel(token, certificate));
  }
  std::string NewToken(v1::Role role, const std::vector<std::string>& namespaces = {},
                       absl::Duration ttl = absl::ZeroDuration()) {
    v1::CreateTokenRequest request;
    request.set_principal("someone");
    request.set_role(role);
    for (const std::string& name : namespaces) request.add_namespaces(name);
    if (ttl > absl::ZeroDuration()) *request.mutable_ttl() = ToProto(ttl);
    const auto created = client::AdminClient(Channel(kRoot)).CreateToken(request);
    EXPECT_TRUE(created.ok()) << created.status();
    return created->secret();
  }
  static absl::StatusOr<v1::Job> Submit(const client::JobClient& client,
                                        const std::string& name_space = "") {
    v1::CreateJobRequest request;
    *request.mutable_spec() = SampleSpec();
    request.set_namespace_(name_space);
    return client.CreateJob(request);
  }
  static std::string Reason(const absl::Status& status) { return client::ReasonOf(status); }

  TempFolder folder_;
  TestCertificates certificates_{folder_.path()};
  FakeClock clock_;
  const std::shared_ptr<SqlDatabase> database_ =
      *SqlDatabase::OpenSqlite(folder_.path() / "quantry.db");
  SqlJobStore jobs_{database_};
  TokenStore tokens_{database_};
  QuotaStore quotas_{database_};
  MemoryBlobStore blobs_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(SecurityTest, CallersMustSayWhoTheyAre) {
  Start();
  const auto nobody = Submit(Client(""));
  EXPECT_EQ(nobody.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Reason(nobody.status()), "NO_CREDENTIALS");
  EXPECT_THAT(std::string(nobody.status().message()), HasSubstr("--token-file"));
  EXPECT_EQ(Reason(Submit(Client("quantry_wrong")).status()), "BAD_TOKEN");
  EXPECT_TRUE(Submit(Client(NewToken(v1::ROLE_SUBMITTER))).ok());
}

TEST_F(SecurityTest, TokensExpireAndAreRevoked) {
  Start();
  const std::string brief = NewToken(v1::ROLE_SUBMITTER, {}, absl::Hours(1));
  EXPECT_TRUE(Submit(Client(brief)).ok());
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(Reason(Submit(Client(brief)).status()), "TOKEN_EXPIRED");
  const std::string token = NewToken(v1::ROLE_ADMIN);
  const client::AdminClient admin(Channel(token));
  const auto tokens = admin.ListTokens();
  ASSERT_TRUE(tokens.ok());
  for (const v1::Token& listed : tokens->tokens()) {
    EXPECT_TRUE(admin.RevokeToken(listed.name()).ok() || listed.name().empty());
    if (!admin.ListTokens().ok()) break;  // that was its own
  }
  clock_.Advance(absl::Seconds(11));
  EXPECT_EQ(Reason(client::AdminClient(Channel(token)).ListTokens().status()), "BAD_TOKEN");
  EXPECT_EQ(
      Reason(client::AdminClient(Channel(kRoot)).RevokeToken("tokens/0123456789abcdef").status()),
      "TOKEN_NOT_FOUND");
}

TEST_F(SecurityTest, TokensAreHashedAtRest) {
  Start();
  const std::string token = NewToken(v1::ROLE_VIEWER);
  server_.reset();
  for (const char* name : {"quantry.db", "quantry.db-wal", "audit.log"}) {
    const auto content = ReadFile(folder_.path() / name);
    ASSERT_TRUE(content.ok()) << name;
    EXPECT_EQ(content->find(token), std::string::npos) << name;
  }
}

// Every method with every role: allowed exactly where the table says so.
TEST_F(SecurityTest, RolesMayCallWhatTheTableSays) {
  Start();
  std::set<std::string> methods;
  for (const google::protobuf::Descriptor* message :
       {v1::GetJobRequest::descriptor(), v1::StartUploadRequest::descriptor(),
        v1::AcquireLeaseRequest::descriptor(), v1::GetCapabilitiesRequest::descriptor(),
        v1::CreateTokenRequest::descriptor()}) {
    const auto* service = message->file()->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      methods.insert(absl::StrCat(service->name(), "/", service->method(i)->name()));
    }
  }
  for (const MethodRule& rule : MethodRules()) {
    EXPECT_EQ(methods.erase(std::string(rule.method)), 1u) << rule.method;
  }
  EXPECT_TRUE(methods.empty()) << "without a rule: " << *methods.begin();

  const client::JobClient viewer = Client(NewToken(v1::ROLE_VIEWER));
  EXPECT_TRUE(viewer.ListJobs(v1::ListJobsRequest()).ok());
  const auto submitted = Submit(viewer);
  EXPECT_EQ(submitted.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Reason(submitted.status()), "ROLE_DENIED");
  EXPECT_THAT(std::string(submitted.status().message()), HasSubstr("is for: submitter, admin"));
  const std::string submitter = NewToken(v1::ROLE_SUBMITTER);
  EXPECT_EQ(Reason(client::AdminClient(Channel(submitter)).ListTokens().status()), "ROLE_DENIED");
  EXPECT_EQ(Reason(Submit(Client(NewToken(v1::ROLE_WORKER))).status()), "ROLE_DENIED");
}

TEST_F(SecurityTest, AnotherNamespacesJobIsLikeOneThatDoesNotExist) {
  Start();
  const client::JobClient red = Client(NewToken(v1::ROLE_SUBMITTER, {"red", "pink"}));
  const client::JobClient blue = Client(NewToken(v1::ROLE_SUBMITTER, {"blue"}));
  const auto job = Submit(red);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->namespace_(), "red") << "the first of its namespaces";
  EXPECT_EQ(Submit(red, "pink")->namespace_(), "pink");
  EXPECT_EQ(Reason(Submit(red, "blue").status()), "NAMESPACE_DENIED");

  const absl::Status foreign = blue.GetJob(job->name()).status();
  const absl::Status missing = blue.GetJob("jobs/00000000000000000000").status();
  EXPECT_EQ(foreign.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(missing.code(), foreign.code());
  EXPECT_EQ(Reason(missing), Reason(foreign));
  EXPECT_EQ(Reason(blue.CancelJob(job->name()).status()), "JOB_NOT_VISIBLE");
  EXPECT_EQ(Reason(blue.DeleteJob(job->name()).status()), "JOB_NOT_VISIBLE");
  EXPECT_EQ(blue.ListJobs(v1::ListJobsRequest())->jobs_size(), 0);
  EXPECT_EQ(red.ListJobs(v1::ListJobsRequest())->jobs_size(), 2);
  v1::ListJobsRequest request;
  request.set_namespace_("red");
  EXPECT_EQ(Reason(blue.ListJobs(request).status()), "NAMESPACE_DENIED");
  v1::CreateJobRequest start_from;
  *start_from.mutable_spec() = SampleSpec();
  start_from.mutable_spec()->mutable_model()->set_job(job->name());
  EXPECT_EQ(Reason(blue.CreateJob(start_from).status()), "JOB_NOT_VISIBLE");
  EXPECT_EQ(Client(kRoot).GetJob("jobs/00000000000000000000").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SecurityTest, CertificatesNameRoles) {
  certificates_.Sign("ana", "submitter:ana@red");
  certificates_.Sign("gpu", "worker:gpu-7");
  certificates_.Sign("odd", "Bob");
  Start();
  const auto job = Submit(Client("", "ana"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->namespace_(), "red");
  EXPECT_EQ(Reason(Submit(Client("", "gpu")).status()), "ROLE_DENIED");
  EXPECT_EQ(Reason(Submit(Client("", "odd")).status()), "BAD_CERTIFICATE");
  // A client's certificate used as a worker's, and a worker's own.
  for (const auto& [who, expected] : {std::pair("ana", grpc::StatusCode::PERMISSION_DENIED),
                                      std::pair("gpu", grpc::StatusCode::OK)}) {
    const auto worker = v1::WorkerService::NewStub(Channel("", who));
    grpc::ClientContext context;
    v1::RegisterWorkerRequest request;
    request.set_worker_id("w");
    request.add_devices()->set_id("cpu");
    request.mutable_devices(0)->set_kind("cpu");
    v1::RegisterWorkerResponse response;
    EXPECT_EQ(worker->RegisterWorker(&context, request, &response).error_code(), expected) << who;
  }
}

TEST_F(SecurityTest, ACertificateOfAnotherAuthorityIsRefused) {
  const std::filesystem::path other = folder_.path() / "other";
  std::filesystem::create_directory(other);
  TestCertificates strangers(other);
  strangers.Sign("eve", "admin:eve");
  Start();
  client::ChannelOptions options{.address = server_->listen_address(),
                                 .tls_ca = certificates_.File("ca.pem"),
                                 .tls_cert = strangers.File("eve.pem"),
                                 .tls_key = strangers.File("eve.key")};
  client::JobClientOptions once{.call_timeout = absl::Seconds(5)};
  once.retry.give_up_after = absl::Milliseconds(1);
  EXPECT_FALSE(client::JobClient(*client::OpenChannel(options), once).GetCapabilities().ok());
  // And a client does not talk to a server that it can't trust.
  options = {.address = server_->listen_address(), .tls_ca = strangers.File("ca.pem")};
  EXPECT_FALSE(client::JobClient(*client::OpenChannel(options), once).GetCapabilities().ok());
}

TEST_F(SecurityTest, CertificatesAreReadAgain) {
  Start();
  EXPECT_TRUE(Client(kRoot).GetCapabilities().ok());
  certificates_.Sign("server", "localhost");
  const auto fresh = ReadFile(certificates_.File("server.pem"));
  const std::string port = server_->listen_address().substr(10);
  const std::string show = absl::StrCat("echo | openssl s_client -connect 127.0.0.1:", port,
                                        " -alpn h2 2>/dev/null | openssl x509 -outform PEM > ",
                                        folder_.path().string(), "/shown.pem 2>/dev/null");
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(std::system(show.c_str()), 0);
    if (*ReadFile(folder_.path() / "shown.pem") == *fresh) return;
    EXPECT_EQ(std::system("sleep 0.5"), 0);
  }
  FAIL() << "the new certificate was not shown within 30 s";
}

TEST_F(SecurityTest, AnOpenAddressNeedsTlsAndAuthentication) {
  options_.listen = "0.0.0.0:0";
  EXPECT_TRUE(Server::CheckOptions(options_).ok());
  options_.authentication.required = false;
  EXPECT_THAT(std::string(Server::CheckOptions(options_).message()),
              HasSubstr("--root-token-file"));
  options_.authentication.required = true;
  options_.tls = {};
  EXPECT_THAT(std::string(Server::CheckOptions(options_).message()), HasSubstr("without TLS"));
  options_.allow_insecure = true;
  EXPECT_TRUE(Server::CheckOptions(options_).ok());
  options_ = {};
  options_.listen = "[::1]:7070";
  EXPECT_TRUE(Server::CheckOptions(options_).ok());
  options_.tls.certificate = "only.pem";
  EXPECT_FALSE(Server::CheckOptions(options_).ok());
}

TEST_F(SecurityTest, FilesThatCannotBeUsedAreNamed) {
  options_.tls.key = certificates_.File("ca.key");  // not the certificate's
  const auto server = Server::Start(options_, {jobs_, blobs_, tokens_, quotas_}, clock_);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("ca.key"));
}

TEST_F(SecurityTest, ATokenDoesNotTravelInPlainText) {
  const auto channel = client::OpenChannel({.address = "example.org:7070", .token = "secret"});
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(channel.status().message()), Not(HasSubstr("secret")));
}

TEST_F(SecurityTest, WhoCallsTooOftenIsToldWhenToComeBack) {
  options_.calls_per_second = 2;
  Start();
  const client::JobClient client = Client(kRoot);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(client.ListJobs(v1::ListJobsRequest()).ok()) << i;
  const absl::Status status = client.ListJobs(v1::ListJobsRequest()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Reason(status), "RATE_LIMITED");
  const auto retry = client::DetailOf<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry.has_value());
  EXPECT_GT(FromProto(retry->retry_delay()), absl::ZeroDuration());
  EXPECT_TRUE(client::DetailOf<google::rpc::QuotaFailure>(status).has_value());
  clock_.Advance(FromProto(retry->retry_delay()));
  EXPECT_TRUE(client.ListJobs(v1::ListJobsRequest()).ok());
}

TEST_F(SecurityTest, NewBytesAreLimitedPerDay) {
  options_.upload_bytes_per_day = 1000;
  Start();
  const auto blobs = v1::BlobService::NewStub(Channel(NewToken(v1::ROLE_SUBMITTER)));
  const auto start = [&](const std::string& content) {
    grpc::ClientContext context;
    v1::StartUploadRequest request;
    request.set_sha256(Sha256Hex(content));
    request.set_size_bytes(800);
    v1::UploadStatus status;
    return blobs->StartUpload(&context, request, &status).error_code();
  };
  EXPECT_EQ(start("first"), grpc::StatusCode::OK);
  EXPECT_EQ(start("second"), grpc::StatusCode::RESOURCE_EXHAUSTED);
  clock_.Advance(absl::Hours(24));
  EXPECT_EQ(start("second"), grpc::StatusCode::OK);
}

TEST_F(SecurityTest, ChangesAndRefusalsAreAudited) {
  Start();
  const auto job = Submit(Client(NewToken(v1::ROLE_SUBMITTER, {"red"})));
  Submit(Client("quantry_wrong")).IgnoreError();
  Client(kRoot).GetJob(job->name()).IgnoreError();
  server_.reset();
  const std::string log = *ReadFile(folder_.path() / "audit.log");
  EXPECT_THAT(log, HasSubstr("\"principal\":\"root\""));
  EXPECT_THAT(log, HasSubstr(absl::StrCat("\"method\":\"JobService/CreateJob\",\"resource\":\"",
                                          job->name())));
  EXPECT_THAT(log, HasSubstr("\"code\":\"UNAUTHENTICATED\""));
  EXPECT_THAT(log, Not(HasSubstr("GetJob"))) << "reading changes nothing";
  EXPECT_THAT(log, Not(HasSubstr(kRoot)));
}

TEST_F(SecurityTest, EveryErrorTellsTheRequest) {
  Start();
  const absl::Status status = Client("quantry_wrong").GetCapabilities().status();
  const auto info = client::DetailOf<google::rpc::RequestInfo>(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->request_id().size(), 16u);
}

TEST(PrincipalTest, CommonNamesAreReadStrictly) {
  const auto ana = PrincipalFromCommonName("submitter:ana@vision,speech");
  ASSERT_TRUE(ana.has_value());
  EXPECT_EQ(ana->role, v1::ROLE_SUBMITTER);
  EXPECT_THAT(ana->namespaces, ElementsAre("vision", "speech"));
  for (const char* wrong : {"", "ana", "root:ana", "unspecified:ana", "admin:", "admin:A B",
                            "admin:ana@No Such", "worker"}) {
    EXPECT_FALSE(PrincipalFromCommonName(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace quantry::server
