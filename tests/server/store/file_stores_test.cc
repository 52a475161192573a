#include <gtest/gtest.h>

#include <fstream>

#include "common/sha256.h"
#include "server/core/error_details.h"
#include "server/core/job_lifecycle.h"
#include "server/store/file_blob_store.h"
#include "server/store/group_committer.h"
#include "server/store/sql_job_store.h"
#include "server/store/sqlite_connection.h"
#include "tests/server/sample_spec.h"
#include "tests/server/temp_folder.h"

// What the stores on disk promise beyond the contract: it is there after a restart, and damage is
// noticed.
namespace quantry::server {
namespace {

const std::string kId = "00000000000000000001";

TEST(SqlJobStore, JobsAndEventsSurviveAReopen) {
  const TempFolder folder;
  const auto path = folder.path() / "quantry.db";
  {
    const auto store = SqlJobStore::OpenSqlite(path);
    ASSERT_TRUE(store.ok()) << store.status();
    const JobChange job = SubmitJob(kId, "default", SampleSpec(), "", absl::UnixEpoch());
    ASSERT_TRUE((*store)->Create(job, JobStore::RequestKey{"request", "body"}).ok());
  }
  const auto store = SqlJobStore::OpenSqlite(path);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->Get(kId).ok());
  EXPECT_EQ((*store)->Events(kId, 0, 10)->size(), 1u);
  const JobChange other =
      SubmitJob("00000000000000000002", "default", SampleSpec(), "", absl::UnixEpoch());
  EXPECT_EQ((*store)->Create(other, JobStore::RequestKey{"request", "body"})->id, kId);
}

TEST(SqlJobStore, ADatabaseOfANewerReleaseIsRefused) {
  const TempFolder folder;
  const auto path = folder.path() / "quantry.db";
  {
    auto connection = SqliteConnection::Open(path, SqliteConnection::Access::kReadWrite);
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE((*connection)->Execute("PRAGMA user_version=1000").ok());
  }
  const auto store = SqlJobStore::OpenSqlite(path);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SqlJobStore, AFileThatIsNoDatabaseIsDataLoss) {
  const TempFolder folder;
  const auto path = folder.path() / "quantry.db";
  std::ofstream(path) << std::string(8192, 'x');
  EXPECT_EQ(SqlJobStore::OpenSqlite(path).status().code(), absl::StatusCode::kDataLoss);
}

TEST(SqlJobStore, AFullDatabaseGivesATypedErrorAndIsReadable) {
  const TempFolder folder;
  auto connection =
      SqliteConnection::Open(folder.path() / "full.db", SqliteConnection::Access::kReadWrite);
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE((*connection)->Execute("CREATE TABLE t (b BLOB); PRAGMA max_page_count=4").ok());
  GroupCommitter committer(**connection);
  const auto insert = [](SqlConnection& database) {
    return database.Prepare("INSERT INTO t VALUES (zeroblob(1000000))").Run();
  };
  const absl::Status status = committer.Run(insert);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  ASSERT_TRUE((*connection)->Execute("PRAGMA max_page_count=100000").ok());
  EXPECT_TRUE(committer.Run(insert).ok());
  SqlStatement count = (*connection)->Prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(count.Step().value());
  EXPECT_EQ(count.Int(0), 1);
}

class FileBlobStoreTest : public testing::Test {
 protected:
  std::string Store(const std::string& content) {
    const std::string sha256 = Sha256Hex(content);
    const auto state = store_->Start(sha256, static_cast<int64_t>(content.size()));
    EXPECT_TRUE(store_->Append(state->upload, 0, content).ok());
    EXPECT_TRUE(store_->Finish(state->upload).ok());
    return sha256;
  }

  TempFolder folder_;
  std::unique_ptr<FileBlobStore> store_ = *FileBlobStore::Open(folder_.path());
};

TEST_F(FileBlobStoreTest, UploadsGoOnAfterAReopen) {
  const std::string content = "0123456789";
  const auto state = store_->Start(Sha256Hex(content), 10);
  ASSERT_TRUE(store_->Append(state->upload, 0, "01234").ok());
  store_ = *FileBlobStore::Open(folder_.path());
  EXPECT_EQ(store_->Query(state->upload)->committed_size, 5);
  ASSERT_TRUE(store_->Append(state->upload, 5, "56789").ok());
  EXPECT_TRUE(store_->Finish(state->upload)->complete);
}

TEST_F(FileBlobStoreTest, AFlippedBitIsDataLossAtTheEnd) {
  const std::string sha256 = Store("0123456789");
  std::fstream file(folder_.path() / "blobs" / sha256,
                    std::ios::in | std::ios::out | std::ios::binary);
  file.put('1');
  file.close();
  const auto reader = store_->Open(sha256);
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE((*reader)->Read(9).ok());
  EXPECT_EQ((*reader)->Read(9).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FileBlobStoreTest, ACutFileIsDataLoss) {
  const std::string sha256 = Store("0123456789");
  const auto reader = store_->Open(sha256);
  ASSERT_TRUE(reader.ok());
  std::filesystem::resize_file(folder_.path() / "blobs" / sha256, 3);
  EXPECT_EQ((*reader)->Read(10).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace quantry::server
