#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include "absl/strings/str_cat.h"
#include "tests/server/rpc/server_fixture.h"

// gRPC's health and reflection services. Their messages are written by hand: the distribution has
// no headers for them.
namespace quantry::server {
namespace {

using ::testing::HasSubstr;

// A field of a protobuf message: number below 16, a text shorter than 128 bytes.
std::string TextField(int number, const std::string& text) {
  const char tag = static_cast<char>(number << 3 | 2);
  return absl::StrCat(std::string(1, tag), std::string(1, static_cast<char>(text.size())), text);
}

class StandardServicesTest : public ServerFixture {
 protected:
  // Sends one message to `method` and gives back the first answer.
  grpc::Status Call(const std::string& method, const std::string& message, std::string* answer) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    grpc::CompletionQueue queue;
    const auto wait = [&] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    const auto call = stub.PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    EXPECT_TRUE(wait());
    const grpc::Slice slice(message);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    EXPECT_TRUE(wait());
    grpc::ByteBuffer response;
    call->Read(&response, nullptr);
    if (wait()) {
      std::vector<grpc::Slice> slices;
      EXPECT_TRUE(response.Dump(&slices).ok());
      for (const grpc::Slice& piece : slices) {
        answer->append(reinterpret_cast<const char*>(piece.begin()), piece.size());
      }
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    EXPECT_TRUE(wait());
    return status;
  }
};

TEST_F(StandardServicesTest, HealthIsToldPerService) {
  for (const char* service : {"", "quantry.v1.JobService", "quantry.v1.BlobService",
                              "quantry.v1.WorkerService", "quantry.v1.CapabilityService"}) {
    std::string answer;
    const grpc::Status status =
        Call("/grpc.health.v1.Health/Check", TextField(1, service), &answer);
    EXPECT_TRUE(status.ok()) << service << ": " << status.error_message();
    EXPECT_EQ(answer, "\x08\x01") << "SERVING";
  }
  std::string answer;
  EXPECT_EQ(Call("/grpc.health.v1.Health/Check", TextField(1, "other"), &answer).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(StandardServicesTest, ReflectionListsTheServices) {
  std::string answer;
  const grpc::Status status = Call("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                   TextField(7, "*"), &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(answer, HasSubstr("quantry.v1.JobService"));
  EXPECT_THAT(answer, HasSubstr("quantry.v1.WorkerService"));
}

}  // namespace
}  // namespace quantry::server
